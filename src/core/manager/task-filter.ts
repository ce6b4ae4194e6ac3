import * as check from "../../task/checks.js";
import type { TaskReason, TaskState } from "../../task/states.js";
import type { Task } from "../../task/task.js";

/** Which tasks `list` shows; what is not given does not matter. */
export interface TaskFilter {
  state?: TaskState | undefined;
  reason?: TaskReason | undefined;
  queue?: string | undefined;
  handler?: string | undefined;
  /** At most so many. Default: all, of which there are no more than live and retained tasks. */
  maxEntries?: number | undefined;
}

const STATES = ["scheduled", "queued", "running", "completed", "failed", "cancelled"] as const;
const REASONS = [
  ...(["backoff", "rescheduled", "rate-limited", "error", "timeout"] as const),
  ...(["deadline", "cancelled", "dropped", "stopped"] as const),
] as const;

const CHECKS: check.Checks<TaskFilter> = {
  state: check.oneOf<TaskState>(...STATES),
  reason: check.oneOf<TaskReason>(...REASONS),
  queue: check.queueName,
  handler: check.name,
  maxEntries: check.integer(0),
};

/**
 * The tasks that a filter lets through.
 * @throws {OptionError}
 */
export function filterTasks(tasks: Iterable<Task>, filter: TaskFilter | undefined): Task[] {
  const { state, reason, queue, handler, maxEntries } = check.readOptions<TaskFilter>("", filter, CHECKS);
  const found: Task[] = [];
  for (const task of tasks) {
    if (found.length === maxEntries) break;
    if (state !== undefined && task.state !== state) continue;
    if (reason !== undefined && task.reason !== reason) continue;
    if (queue !== undefined && task.queue !== queue) continue;
    if (handler !== undefined && task.handler !== handler) continue;
    found.push(task);
  }
  return found;
}
