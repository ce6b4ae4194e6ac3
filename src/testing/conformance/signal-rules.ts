import assert from "node:assert/strict";
import { ManagerStoppedError, TaskCancelledError, TaskTimeoutError } from "../../errors.js";
import type { ExecutorRule } from "./executor-rule.js";
import type { Trial } from "./trial.js";
import { toThrown, toValue } from "./trial.js";

/** Far longer than anything that is told takes to arrive. */
const LONG_MS = 60_000;
/** Long enough for what should not arrive. */
const SHORT_MS = 80;

function cancelled(): Error {
  return new TaskCancelledError("Task x was cancelled", "x", { cause: "by hand" });
}

const CANCELLED = {
  ...{ ours: true, name: "TaskCancelledError", message: "Task x was cancelled" },
  ...{ code: "MILLRACE_TASK_CANCELLED", cause: "by hand" },
};

async function hearsOf(handler: string, trial: Trial): Promise<void> {
  const attempt = await trial.begin(handler, LONG_MS);
  attempt.abort(cancelled());
  assert.deepEqual(toValue(await trial.end(attempt)), CANCELLED);
}

async function hearsOfStop(trial: Trial): Promise<void> {
  const stopped = new ManagerStoppedError("It stops", "x");
  const attempt = await trial.begin("awaitStop", LONG_MS);
  attempt.announceStop(stopped);
  const told = toValue(await trial.end(attempt)) as Readonly<Record<string, unknown>>;
  assert.deepEqual([told["code"], told["message"], told["aborted"]], [stopped.code, stopped.message, false]);
  const late = trial.prepare("awaitStop", LONG_MS);
  late.announceStop(stopped);
  trial.executor.run(late);
  const toldLate = toValue(await trial.end(late)) as Readonly<Record<string, unknown>>;
  assert.deepEqual([toldLate["code"], toldLate["aborted"]], [stopped.code, false]);
}

/** How a handler learns that it should end. */
export const SIGNAL_RULES: readonly ExecutorRule[] = [
  {
    name: "aborts a handler's signal with the reason that it was given",
    check: (trial) => hearsOf("awaitAbort", trial),
  },
  {
    name: "lets a handler that never pauses see its abort, with the reason",
    of: "elsewhere",
    check: (trial) => hearsOf("spinUntilAborted", trial),
  },
  {
    name: "lets `throwIfAborted` throw the reason in a handler that never pauses",
    of: "elsewhere",
    async check(trial) {
      const attempt = await trial.begin("spinUntilThrown", LONG_MS);
      attempt.abort(cancelled());
      const thrown = toThrown(await trial.end(attempt));
      assert(thrown instanceof TaskCancelledError && thrown.cause === "by hand", "the reason is another");
    },
  },
  {
    name: "keeps the first reason of a signal, whatever it is told later",
    async check(trial) {
      const attempt = await trial.begin("awaitAbort", LONG_MS);
      attempt.abort(cancelled());
      attempt.abort(new TaskTimeoutError("x", 5));
      assert.deepEqual(toValue(await trial.end(attempt)), CANCELLED);
    },
  },
  {
    name: "ends an attempt that was aborted before it was run, or lets its handler see that it was",
    async check(trial) {
      const attempt = trial.prepare("awaitAbort", LONG_MS);
      const reason = cancelled();
      attempt.abort(reason);
      trial.executor.run(attempt);
      const outcome = await trial.end(attempt);
      if (outcome.returned) assert.deepEqual(outcome.value, CANCELLED);
      else assert.equal(outcome.thrown, reason);
    },
  },
  {
    name: "aborts one attempt alone, and not the one beside it or the one after it",
    slots: 2,
    async check(trial) {
      const attempt = await trial.begin("awaitAbort", LONG_MS);
      const beside = await trial.begin("awaitAbort", SHORT_MS);
      attempt.abort(cancelled());
      await trial.end(attempt);
      attempt.abort(new TaskTimeoutError("x", 5));
      assert.equal(await trial.value("awaitAbort", SHORT_MS), "not aborted");
      assert.equal(toValue(await trial.end(beside)), "not aborted");
    },
  },
  { name: "tells a handler of a stop, also of one that had begun before it", check: hearsOfStop },
];
