import type { Executor, RunnableAttempt } from "../../ports/executor.js";
import type { Eventually, Outcome } from "../../task/outcome.js";

/** Runs handlers on the event loop. What ignores its signal cannot be stopped here, only given up. */
export class InlineExecutor implements Executor {
  readonly lane = "inline";

  run(attempt: RunnableAttempt): Eventually<Outcome> {
    try {
      const { run } = attempt; // called as a plain function: a handler has no `this`
      const value = run(attempt.context);
      if (isPlainPromise(value)) return value.then(toReturned, toThrown);
      return isObject(value) ? settle(value) : toReturned(value);
    } catch (thrown) {
      return toThrown(thrown);
    }
  }

  kill(): boolean {
    return false;
  }

  async close(): Promise<void> {}
}

function toReturned(value: unknown): Outcome {
  return { returned: true, value };
}

function toThrown(thrown: unknown): Outcome {
  return { returned: false, thrown };
}

/** What an async function returns, and nobody has tampered with: its `then` can be called as it is. */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return value instanceof Promise && value.constructor === Promise && value.then === Promise.prototype.then;
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** `await` treats whatever has a `then` with the care that it needs. */
async function settle(value: unknown): Promise<Outcome> {
  try {
    return toReturned(await value);
  } catch (thrown) {
    return toThrown(thrown);
  }
}
