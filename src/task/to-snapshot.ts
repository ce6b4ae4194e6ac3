import { isTerminal } from "./states.js";
import type { Task } from "./task.js";
import type { TaskSnapshot } from "./task-snapshot.js";

/**
 * Pictures a task.
 * @param wallOffset what turns a monotonic instant into one since the epoch
 */
export function toSnapshot(task: Task, wallOffset: number): TaskSnapshot {
  const toWall = (at: number | undefined) => (at === undefined ? undefined : at + wallOffset);
  const { state } = task;
  const readyAt = task.readyAt ?? task.enqueuedAt;
  return Object.freeze({
    id: task.id,
    name: task.details?.name,
    description: task.details?.description,
    handler: task.profile.handler,
    queue: task.queue,
    state,
    reason: task.reason,
    priority: task.priority,
    weight: task.weight,
    cost: task.cost,
    metadata: task.metadata,
    correlationId: task.details?.correlationId,
    attempt: task.attempt,
    maxAttempts: task.settings.maxAttempts,
    enqueuedAt: task.enqueuedAt + wallOffset,
    dueAt: state === "scheduled" ? readyAt + wallOffset : undefined,
    startedAt: toWall(task.times?.startedAt),
    finishedAt: isTerminal(state) ? toWall(task.finishedAt) : undefined,
    waitMs: task.times?.waitMs,
    runMs: task.times?.runMs,
    error: task.error,
  });
}
