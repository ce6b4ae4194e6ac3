/** More threads than there may be at a time, those among them that have been ended and hang on. */
const MAX_PULSES = 4_096;

/** Where one thread counts the turns of its event loop. */
export interface Pulse {
  readonly number: number;
  /** One word. */
  readonly word: Int32Array;
}

/**
 * The words in which threads count, in one piece of shared memory, so that it has to be told only once where
 * they are. A word is that of one thread after another, and goes on from where it is: who looks at it looks
 * whether it changes.
 */
export class Pulses {
  readonly words = new Int32Array(new SharedArrayBuffer(MAX_PULSES * 4));
  readonly #free: number[] = [];
  #used = 0;

  /** Undefined where no word is free: what runs in the thread then depends on the main thread alone. */
  take(): Pulse | undefined {
    const number = this.#free.pop() ?? this.#used;
    if (number >= MAX_PULSES) return undefined;
    if (number === this.#used) this.#used++;
    return { number, word: this.words.subarray(number, number + 1) };
  }

  /** Its thread has exited. */
  giveBack(pulse: Pulse | undefined): void {
    if (pulse !== undefined) this.#free.push(pulse.number);
  }
}
