/** At most so many tasks are handed to a thread at a time. */
export const MAX_BATCH = 64;

/** Handed over, not begun. */
const WAITING = 0;
/** Its handler has begun; the word stays so when it has ended. */
const BEGUN = 1;
/** Taken back before it had begun: it never will. */
const WITHDRAWN = 2;
/** It has begun, and should end. */
const ABORTED = 3;

/** The first word tells of a stop; those of the tasks follow. */
const STOPPING = 0;
const FIRST = 1;

/**
 * One word for each task of the batch that a thread is given, shared with it and moved by compare-and-set
 * alone: so both sides agree on what has begun, though a thread dies at any moment; and code that runs
 * without a pause sees its abort, which no message can tell it of. A word holds the number of its batch too:
 * a thread that is still at the end of one takes nothing of the next for it.
 */
export class TaskWords {
  /** What is shared. */
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer((FIRST + MAX_BATCH) * 4))) {
    this.words = words;
  }

  /** For a new batch, while the thread runs nothing. */
  lay(batch: number, count: number): void {
    for (let index = 0; index < count; index++) {
      Atomics.store(this.words, FIRST + index, toWord(batch, WAITING));
    }
  }

  /** Said by the thread. @returns false when the task was withdrawn, and must not begin */
  begin(batch: number, index: number): boolean {
    return this.#move(batch, index, WAITING, BEGUN);
  }

  /** @returns false when it is too late: the task has begun */
  withdraw(batch: number, index: number): boolean {
    return this.#move(batch, index, WAITING, WITHDRAWN);
  }

  /** Of a task that has begun. */
  abort(batch: number, index: number): void {
    this.#move(batch, index, BEGUN, ABORTED);
  }

  hasBegun(batch: number, index: number): boolean {
    return this.#is(batch, index, BEGUN) || this.#is(batch, index, ABORTED);
  }

  isAborted(batch: number, index: number): boolean {
    return this.#is(batch, index, ABORTED);
  }

  announceStop(): void {
    Atomics.store(this.words, STOPPING, 1);
  }

  get stopping(): boolean {
    return Atomics.load(this.words, STOPPING) === 1;
  }

  #is(batch: number, index: number, state: number): boolean {
    return Atomics.load(this.words, FIRST + index) === toWord(batch, state);
  }

  #move(batch: number, index: number, from: number, to: number): boolean {
    const before = toWord(batch, from);
    return Atomics.compareExchange(this.words, FIRST + index, before, toWord(batch, to)) === before;
  }
}

/** The number wraps round after half a billion batches, of which only the last two matter. */
function toWord(batch: number, state: number): number {
  return (batch << 2) | state;
}
