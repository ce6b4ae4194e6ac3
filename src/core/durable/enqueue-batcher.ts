import type { Backend, EnqueueAnswer, NewTask } from "../../ports/backend.js";
import type { Clock } from "../../ports/clock.js";

/** One call that waits for its turn. */
interface WaitingCall {
  readonly tasks: readonly NewTask[];
  readonly resolve: (answers: readonly EnqueueAnswer[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Tasks in one call to the store; a single call of a user may bring more. */
const BATCH = 1_000;

/** So many calls are under way at a time: while they are answered, the next ones are filled. */
const MAX_CALLS = 4;

/**
 * Hands new tasks to the store. Calls of one turn of the event loop share a round trip, and so do those that
 * come while the store is at work.
 */
export class EnqueueBatcher {
  readonly #backend: Pick<Backend, "enqueue">;
  readonly #clock: Pick<Clock, "setImmediate">;
  readonly #requestPrefix: string;
  #waiting: WaitingCall[] = [];
  #calls = 0;
  #requests = 0;
  #soon = false;

  constructor(backend: Pick<Backend, "enqueue">, clock: Pick<Clock, "setImmediate">, requestPrefix: string) {
    this.#backend = backend;
    this.#clock = clock;
    this.#requestPrefix = requestPrefix;
  }

  enqueue(tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tasks, resolve, reject });
      if (this.#soon) return;
      this.#soon = true;
      this.#clock.setImmediate(() => {
        this.#soon = false;
        this.#flush();
      });
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#calls < MAX_CALLS) void this.#send(this.#nextBatch());
  }

  #nextBatch(): WaitingCall[] {
    let tasks = 0;
    const end = this.#waiting.findIndex((call) => {
      tasks += call.tasks.length;
      return tasks > BATCH;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(1, end));
  }

  async #send(batch: readonly WaitingCall[]): Promise<void> {
    this.#calls++;
    const tasks = batch.flatMap((call) => call.tasks);
    try {
      const answers = await this.#backend.enqueue(`${this.#requestPrefix}e${++this.#requests}`, tasks);
      let from = 0;
      for (const call of batch) {
        call.resolve(answers.slice(from, from + call.tasks.length));
        from += call.tasks.length;
      }
    } catch (error) {
      for (const call of batch) call.reject(error);
    }
    this.#calls--;
    this.#flush();
  }
}
