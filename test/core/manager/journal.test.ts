import { describe, expect, test } from "vitest";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { Journal } from "../../../src/core/manager/journal.js";
import type { TaskEventType } from "../../../src/task/task-event.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

/** A clock that counts how often it was looked at, as is done for every picture. */
class CountingClock extends ManualClock {
  looks = 0;

  override wallNow(): number {
    this.looks++;
    return super.wallNow();
  }
}

/** Records one event of each type that is about a task. */
function recordAll(journal: Journal): void {
  const task = newTask();
  for (const type of ["queued", "scheduled", "started", "dropped", "abandoned"] as const)
    journal.record(type, task);
  journal.recordProgress(task, 1);
  journal.recordRetried(task, 1, new Error("fails"));
  journal.recordRescheduled(task, 1);
  journal.recordFinished(task, 1);
}

describe("a journal", () => {
  test("pictures a task for those events only that somebody hears", () => {
    const clock = new CountingClock();
    const journal = new Journal(clock, new ObserverErrors());
    const heard: TaskEventType[] = [];
    recordAll(journal);
    expect(clock.looks).toBe(0);
    const types = ["started", "progress"] as const;
    const listening = journal.events.subscribe(({ type }) => heard.push(type), types);
    recordAll(journal);
    expect(heard).toEqual(["started", "progress"]);
    expect(clock.looks).toBe(2);
    journal.events.subscribe(() => undefined);
    recordAll(journal);
    expect(clock.looks).toBe(11);
    listening[Symbol.dispose]();
    expect(heard).toHaveLength(4);
  });
});
