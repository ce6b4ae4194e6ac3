import { GroupTally } from "../../src/task/group-tally.js";
import { BUILT_IN_SETTINGS, type TaskSettings } from "../../src/task/settings.js";
import { MOVES } from "../../src/task/states.js";
import { Task, type TaskDetails } from "../../src/task/task.js";
import { TaskIds } from "../../src/task/task-ids.js";

export interface NewTask {
  number?: number;
  state?: "queued" | "scheduled" | "running";
  details?: TaskDetails | undefined;
  settings?: Partial<TaskSettings>;
  enqueuedAt?: number;
}

/** A task by itself, for tests of the parts that are given one. */
export function newTask({
  number = 1,
  state = "queued",
  details,
  settings,
  enqueuedAt = 0,
}: NewTask = {}): Task {
  const task = new Task({
    profile: {
      ids: new TaskIds("p-"),
      queue: "default",
      handler: undefined,
      lane: "inline",
      settings: { ...BUILT_IN_SETTINGS, ...settings },
      tally: new GroupTally("default", undefined),
    },
    ...{ number, work: () => undefined, order: 0, details, enqueuedAt },
    state: state === "running" ? "queued" : state,
  });
  if (state === "running") {
    task.move(MOVES.queued.start);
    task.attempt = 1;
  }
  return task;
}
