const MAIN = 0;
const THREAD = 1;

/** By which the two threads see that the other one's event loop turns: each counts its own turns. */
export class LifeWords {
  /** What is shared. */
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer(8))) {
    this.words = words;
  }

  beatMain(): void {
    Atomics.add(this.words, MAIN, 1);
  }

  beatThread(): void {
    Atomics.add(this.words, THREAD, 1);
  }

  get main(): number {
    return Atomics.load(this.words, MAIN);
  }

  get thread(): number {
    return Atomics.load(this.words, THREAD);
  }
}
