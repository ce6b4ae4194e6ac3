import type { Backend, EnqueueAnswer, NewTask } from "../../ports/backend.js";
import type { Clock } from "../../ports/clock.js";

/** Tasks in one call to the store; a single call of a user may bring more. */
const BATCH = 1_000;

/** So many calls are under way at a time: while they are answered, the next ones are filled. */
const MAX_CALLS = 4;

/** What goes to the store in one call. */
class Batch {
  readonly tasks: NewTask[] = [];
  readonly answers: Promise<readonly EnqueueAnswer[]>;
  #resolve: (answers: readonly EnqueueAnswer[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor() {
    this.answers = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Never rejects: those whose tasks these are hear of it by `answers`. */
  async send(backend: Pick<Backend, "enqueue">, requestId: string): Promise<void> {
    try {
      this.#resolve(await backend.enqueue(requestId, this.tasks));
    } catch (error) {
      this.#reject(error);
    }
  }
}

/**
 * Hands new tasks to the store. Calls of one turn of the event loop share a round trip, and so do those that
 * come while the store is at work.
 */
export class EnqueueBatcher {
  readonly #backend: Pick<Backend, "enqueue">;
  readonly #clock: Pick<Clock, "setImmediate">;
  readonly #requestPrefix: string;
  /** Those that have not been sent; the last one may take more. */
  readonly #waiting: Batch[] = [];
  #calls = 0;
  #requests = 0;
  #soon = false;

  constructor(backend: Pick<Backend, "enqueue">, clock: Pick<Clock, "setImmediate">, requestPrefix: string) {
    this.#backend = backend;
    this.#clock = clock;
    this.#requestPrefix = requestPrefix;
  }

  /** Gives the answers for these tasks, which are sent in one call. */
  async enqueue(tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    const batch = this.#batchFor(tasks.length);
    const from = batch.tasks.length;
    for (const task of tasks) batch.tasks.push(task);
    const answers = await batch.answers;
    return answers.slice(from, from + tasks.length);
  }

  #batchFor(count: number): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.tasks.length + count <= BATCH) return last;
    const batch = new Batch();
    this.#waiting.push(batch);
    this.#flushSoon();
    return batch;
  }

  #flushSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#clock.setImmediate(() => {
      this.#soon = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#calls < MAX_CALLS) {
      const batch = this.#waiting.shift();
      if (batch === undefined) return;
      void this.#send(batch);
    }
  }

  async #send(batch: Batch): Promise<void> {
    this.#calls++;
    await batch.send(this.#backend, `${this.#requestPrefix}e${++this.#requests}`);
    this.#calls--;
    this.#flush();
  }
}
