import type { ClaimedTask } from "../../../ports/backend.js";
import type { TaskEnvelope } from "../../../task/task-envelope.js";

/**
 * How much of its whole life a task had left when it was claimed, in milliseconds: by the store's clock
 * alone, since those of processes differ. One that was put back from the dead letters lives as if it had just
 * come: its time to live begins anew, and a deadline that had passed by then counts no more. A clock that was
 * set back gives nobody more than all of it.
 *
 * @returns Infinity where nothing ends it
 */
export function lifeLeftMs(
  { deadlineAt = Number.POSITIVE_INFINITY, ttlMs = Number.POSITIVE_INFINITY }: TaskEnvelope,
  { claimedAt, enqueuedAt, replayedAt }: ClaimedTask,
): number {
  const livedMs = Math.max(0, claimedAt - (replayedAt ?? enqueuedAt));
  const isOver = replayedAt !== undefined && deadlineAt <= replayedAt;
  return Math.min(ttlMs - livedMs, isOver ? Number.POSITIVE_INFINITY : deadlineAt - claimedAt);
}
