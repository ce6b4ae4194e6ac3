import { GroupTally } from "../../src/task/group-tally.js";
import { toOrder } from "../../src/task/order.js";
import { BUILT_IN_SETTINGS } from "../../src/task/settings.js";
import { Task } from "../../src/task/task.js";
import { TaskIds } from "../../src/task/task-ids.js";

export interface WaitingTaskOptions {
  readonly queue?: string;
  readonly handler?: string | undefined;
  readonly priority?: number;
  readonly weight?: number;
  readonly state?: "scheduled" | "queued";
}

let created = 0;

/** A task as the intake makes it, for what is tested without a manager. Numbers grow in order of creation. */
export function createTask(options: WaitingTaskOptions = {}): Task {
  const { queue = "default", handler, priority = 0, weight = 1, state = "queued" } = options;
  return new Task({
    profile: {
      ...{ ids: new TaskIds("test-"), queue, handler, lane: "inline" as const, settings: BUILT_IN_SETTINGS },
      tally: new GroupTally(queue, handler),
    },
    number: ++created,
    work: () => undefined,
    order: toOrder(priority, weight),
    details: undefined,
    enqueuedAt: 0,
    state,
  });
}
