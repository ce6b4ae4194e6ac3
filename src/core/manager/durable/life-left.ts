import type { ClaimedTask } from "../../../ports/backend.js";
import type { TaskEnvelope } from "../../../task/task-envelope.js";

/**
 * How much of its whole life a task had left when it was claimed, in milliseconds: by the store's clock
 * alone, since those of processes differ. What had passed when it was put back from the dead letters ended
 * its life before, and counts no more. A clock that was set back gives nobody more than all of it.
 *
 * @returns Infinity where nothing ends it
 */
export function lifeLeftMs(
  { deadlineAt = Number.POSITIVE_INFINITY, ttlMs = Number.POSITIVE_INFINITY }: TaskEnvelope,
  { claimedAt, enqueuedAt, replayedAt = Number.NEGATIVE_INFINITY }: ClaimedTask,
): number {
  let leftMs = Number.POSITIVE_INFINITY;
  if (deadlineAt > replayedAt) leftMs = deadlineAt - claimedAt;
  const endsAt = enqueuedAt + ttlMs;
  if (endsAt > replayedAt) leftMs = Math.min(leftMs, endsAt - Math.max(claimedAt, enqueuedAt));
  return leftMs;
}
