import type { Executor, RunnableAttempt } from "../../ports/executor.js";
import type { Eventually, Outcome } from "../../task/outcome.js";

/** Runs handlers on the event loop. What ignores its signal cannot be stopped here, only given up. */
export class InlineExecutor implements Executor {
  readonly lane = "inline";

  run(attempt: RunnableAttempt): Eventually<Outcome> {
    try {
      const { run } = attempt; // called as a plain function: a handler has no `this`
      const value = run(attempt.context);
      return isObject(value) ? settle(value) : { returned: true, value };
    } catch (thrown) {
      return { returned: false, thrown };
    }
  }

  kill(): boolean {
    return false;
  }

  async close(): Promise<void> {}
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** `await` takes a native promise as it is, and treats whatever else has a `then` with the care it needs. */
async function settle(value: unknown): Promise<Outcome> {
  try {
    return { returned: true, value: await value };
  } catch (thrown) {
    return { returned: false, thrown };
  }
}
