import type { Cause, HowEnded, ModelTask } from "./entry.js";

/** What can follow from the end of an attempt: another event, or the state and reason of the end. */
export type FollowUp =
  | "retried"
  | "rescheduled"
  | "completed"
  | `failed/${"error" | "timeout" | "deadline"}`
  | `cancelled/${"cancelled" | "stopped"}`;

/** Whether a stop, or a pause that stood when it began, leaves time for an attempt due after `delayMs`. */
export type InTime = (delayMs: number) => "yes" | "no" | "either";

/** The delays that a backoff may give after this attempt: from the first to the second. */
export function backoffRange(task: ModelTask): readonly [number, number] {
  switch (task.shape.backoff) {
    case "none":
    case "throws":
      return [0, 0];
    case "fixed":
      return [7, 7];
    case "doubling": {
      const delayMs = Math.min(20, 4 * 2 ** (task.attempt - 1));
      return [delayMs, delayMs];
    }
    case "jitter":
      return [0, Math.min(30, 16 * 2 ** (task.attempt - 1))];
  }
}

/**
 * The table of DESIGN.md, "Ends", for one attempt of a task.
 * @param cause what told the attempt to end, if anything
 * @param ended what the handler did; undefined when it was given up
 */
export function followUps(
  task: ModelTask,
  cause: Cause | undefined,
  ended: HowEnded | undefined,
  inTime: InTime,
): readonly FollowUp[] {
  switch (cause) {
    case "cancelled":
      return ["cancelled/cancelled"];
    case "deadline":
      return ["failed/deadline"];
    case "stopped":
      return [ended?.ends === "returns" ? "completed" : "cancelled/stopped"];
    case "timeout":
      return retryOr(task, "failed/timeout", inTime);
    case undefined:
      return ended === undefined ? [] : ofItself(task, ended, inTime);
  }
}

function ofItself(task: ModelTask, ended: HowEnded, inTime: InTime): readonly FollowUp[] {
  switch (ended.ends) {
    case "returns":
      return ["completed"];
    case "skips-retry":
      return ["failed/error"];
    case "cancels-itself":
      return ["cancelled/cancelled"];
    case "reschedules":
      return again("rescheduled", inTime(ended.delayMs));
    case "meets-limit":
      return again("rescheduled", inTime(ended.retryAfterMs));
    case "throws":
    case "throws-junk":
    case "obeys":
      return retryOr(task, "failed/error", inTime);
  }
}

function retryOr(task: ModelTask, otherwise: FollowUp, inTime: InTime): readonly FollowUp[] {
  if (task.attempt >= task.maxAttempts) return [otherwise];
  if (task.shape.backoff === "throws") return ["failed/error"];
  const [least, most] = backoffRange(task);
  const [first, last] = [inTime(least), inTime(most)];
  return again("retried", first === last ? first : "either");
}

function again(followUp: "retried" | "rescheduled", inTime: ReturnType<InTime>): readonly FollowUp[] {
  if (inTime === "yes") return [followUp];
  return inTime === "no" ? ["cancelled/stopped"] : [followUp, "cancelled/stopped"];
}
