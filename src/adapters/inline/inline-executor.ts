import type { Executor, RunnableAttempt } from "../../ports/executor.js";
import type { Outcome } from "../../task/outcome.js";
import { isSteering } from "../../task/steering.js";
import { perform } from "../../task/work.js";

/** More than so many are made anew when they are needed. */
const MAX_IDLE_FOLLOWERS = 256;

/** Runs handlers on the event loop. What ignores its signal cannot be stopped here, only given up. */
export class InlineExecutor implements Executor {
  readonly lane = "inline";
  readonly #idle: Follower[] = [];

  run(attempt: RunnableAttempt): void {
    let value: unknown;
    try {
      value = perform(attempt.work, attempt.context);
    } catch (thrown) {
      attempt.ended(toThrown(thrown));
      return;
    }
    if (isPlainPromise(value)) (this.#idle.pop() ?? new Follower(this.#idle)).follow(attempt, value);
    else if (isObject(value)) void settle(value).then((outcome) => attempt.ended(outcome));
    else attempt.ended(toReturned(value));
  }

  kill(): boolean {
    return false;
  }

  async close(): Promise<void> {}
}

function toReturned(value: unknown): Outcome {
  return isSteering(value) ? toThrown(value) : { returned: true, value };
}

function toThrown(thrown: unknown): Outcome {
  return { returned: false, thrown };
}

/** What an async function returns, and nobody has tampered with: its `then` can be called as it is. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  try {
    if (!(value instanceof Promise)) return false;
    return value.constructor === Promise && value.then === Promise.prototype.then;
  } catch {
    return false; // a proxy or a getter that throws
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Follows one promise after another, so that the two callbacks are not made anew for each attempt. */
class Follower {
  readonly #idle: Follower[];
  #attempt: RunnableAttempt | undefined = undefined;
  readonly #returned = (value: unknown) => this.#end(toReturned(value));
  readonly #threw = (thrown: unknown) => this.#end(toThrown(thrown));

  constructor(idle: Follower[]) {
    this.#idle = idle;
  }

  follow(attempt: RunnableAttempt, promise: Promise<unknown>): void {
    this.#attempt = attempt;
    void promise.then(this.#returned, this.#threw);
  }

  #end(outcome: Outcome): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (this.#idle.length < MAX_IDLE_FOLLOWERS) this.#idle.push(this);
    attempt?.ended(outcome);
  }
}

/** `await` treats whatever has a `then` with the care that it needs. */
async function settle(value: unknown): Promise<Outcome> {
  try {
    return toReturned(await value);
  } catch (thrown) {
    return toThrown(thrown);
  }
}
