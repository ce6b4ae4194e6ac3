import { toStoredError } from "../../../task/stored-error.js";
import type { Settlement } from "../../durable/held-lease.js";
import type { DurableEnding } from "./durable-ending.js";
import type { DurableRun } from "./durable-run.js";

/** So far may the clocks of a process and of the store part while it holds a task. */
const DRIFT_MS = 1_000;

export function toSettlement(run: DurableRun, ending: DurableEnding): Settlement {
  const { resultTtlMs } = run;
  const charged = run.task.attempt > run.held.task.attempts; // one that has not begun is none
  switch (ending.next) {
    case "complete": {
      const { value } = run;
      const outcome = { state: "completed", reason: undefined, value, error: undefined, charged } as const;
      return { kind: "ack", ack: { outcome, resultTtlMs } };
    }
    case "fail": {
      const { reason } = ending;
      const error = toStoredError(ending.error);
      if (run.leavesDeadLetter)
        return { kind: "dead-letter", deadLetter: { reason, error, charged, resultTtlMs } };
      const outcome = { state: "failed", reason, value: undefined, error, charged } as const;
      return { kind: "ack", ack: { outcome, resultTtlMs } };
    }
    case "cancel": {
      const { reason } = ending;
      const error = toStoredError(ending.error);
      const outcome = { state: "cancelled", reason, value: undefined, error, charged } as const;
      return { kind: "ack", ack: { outcome, resultTtlMs } };
    }
    case "retry":
      return {
        kind: "nack",
        nack: { kind: "retry", delayMs: ending.delayMs, error: toStoredError(ending.error) },
      };
    case "reschedule":
      return {
        kind: "nack",
        nack: { kind: "reschedule", delayMs: ending.delayMs, error: undefined },
      };
    case "hand-back":
      return { kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } };
  }
}

/** What would only go on after the end of its whole life comes back soon after that, and fails. */
export function withinLife({ task }: DurableRun, ending: DurableEnding, now: number): DurableEnding {
  const { expiresAt } = task.details ?? {};
  if (expiresAt === undefined || !("delayMs" in ending)) return ending;
  return { ...ending, delayMs: Math.min(ending.delayMs, Math.max(0, expiresAt - now) + DRIFT_MS) };
}
