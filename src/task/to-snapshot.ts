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
  return Object.freeze({
    id: task.id,
    name: task.details?.name,
    description: task.details?.description,
    handler: task.handler,
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
    dueAt: state === "scheduled" ? task.readySince + wallOffset : undefined,
    startedAt: toWall(task.startedAt),
    finishedAt: isTerminal(state) ? toWall(task.finishedAt) : undefined,
    waitMs: task.waitMs,
    runMs: task.runMs,
    error: task.error,
  });
}
