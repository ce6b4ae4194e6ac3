import { describe, expect, it } from "vitest";
import { type AbortCause, conclude } from "../../../src/core/manager/conclude.js";
import { TaskFailedError } from "../../../src/errors.js";
import type { Outcome } from "../../../src/task/outcome.js";
import { cancelTask, rateLimited, reschedule, skipRetry } from "../../../src/task/steering.js";
import { newTask } from "../../support/new-task.js";

const returned: Outcome = { returned: true, value: "value" };
const error = new Error("fails");
const threw = (thrown: unknown = error): Outcome => ({ returned: false, thrown });
const last = newTask({ state: "running", settings: { maxAttempts: 1 } });
const first = newTask({ state: "running", settings: { maxAttempts: 2 } });

describe("conclude, by the table of ends", () => {
  it("without an abort: what was returned completes, what was thrown retries or fails", () => {
    expect(conclude(last, undefined, returned)).toEqual({ next: "complete", value: "value" });
    expect(conclude(first, undefined, threw())).toEqual({ next: "retry", error });
    expect(conclude(last, undefined, threw())).toEqual({ next: "fail", reason: "error", error });
    expect(conclude(last, undefined, threw("text"))).toMatchObject({
      ...{ next: "fail", reason: "error", error: { taskId: "p-1", cause: "text" } },
    });
  });

  const cause = (kind: AbortCause["kind"]): AbortCause => ({ kind, error: new Error(kind) });

  it.each([
    ["cancelled", "cancel", "cancelled"],
    ["deadline", "fail", "deadline"],
    ["timeout", "fail", "timeout"],
  ] as const)("after an abort for %s: its outcome stands, whatever the handler did", (kind, next, reason) => {
    const abort = cause(kind);
    for (const outcome of [returned, threw(), threw(reschedule()), threw(skipRetry()), threw(cancelTask())])
      expect(conclude(last, abort, outcome)).toEqual({ next, reason, error: abort.error });
  });

  it("after a timeout with attempts left: another attempt, whatever the handler did", () => {
    const abort = cause("timeout");
    for (const outcome of [returned, threw(), threw(skipRetry())])
      expect(conclude(first, abort, outcome)).toEqual({ next: "retry", error: abort.error });
  });

  it("after an abort by a stop: what still returns completes, all else is cancelled", () => {
    const abort = cause("stopped");
    expect(conclude(last, abort, returned)).toEqual({ next: "complete", value: "value" });
    for (const outcome of [threw(), threw(reschedule()), threw(abort.error)])
      expect(conclude(first, abort, outcome)).toEqual({
        next: "cancel",
        reason: "stopped",
        error: abort.error,
      });
  });

  it("follows steering, however many attempts are left", () => {
    for (const task of [first, last]) {
      expect(conclude(task, undefined, threw(reschedule({ delayMs: 5 })))).toEqual({
        ...{ next: "reschedule", reason: "rescheduled", delayMs: 5, scope: "handler" },
      });
      expect(conclude(task, undefined, threw(rateLimited({ retryAfterMs: 5, scope: "all" })))).toEqual({
        ...{ next: "reschedule", reason: "rate-limited", delayMs: 5, scope: "all" },
      });
      expect(conclude(task, undefined, threw(skipRetry(error)))).toEqual({
        next: "fail",
        reason: "error",
        error,
      });
      expect(conclude(task, undefined, threw(skipRetry()))).toMatchObject({
        ...{ next: "fail", error: expect.any(TaskFailedError) },
      });
      expect(conclude(task, undefined, threw(cancelTask("why")))).toMatchObject({
        ...{ next: "cancel", reason: "cancelled", error: { taskId: "p-1", cause: "why" } },
      });
    }
  });
});
