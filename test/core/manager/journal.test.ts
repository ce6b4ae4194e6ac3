import { describe, expect, test } from "vitest";
import { Journal } from "../../../src/core/manager/journal.js";
import type { Task } from "../../../src/task/task.js";
import type { TaskEvent } from "../../../src/task/task-event.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

function setUp() {
  const clock = new ManualClock({ wallNow: 1_000_000 });
  const journal = new Journal(clock);
  const ended = (): Task => {
    const task = newTask({ state: "running" });
    task.move("running", "complete");
    task.finishedAt = clock.now();
    return task;
  };
  return { clock, journal, ended };
}

describe("a journal", () => {
  test("makes no event of a type that nobody hears", () => {
    const { journal } = setUp();
    const task = newTask({ state: "running" });
    const heard: TaskEvent[] = [];
    journal.events.subscribe((event) => heard.push(event), ["retried"]);
    let pictures = 0;
    const details = {
      get name(): string | undefined {
        pictures++;
        return "a";
      },
    };
    const watched = newTask({ state: "running", details });
    journal.record("started", watched);
    journal.recordRescheduled(watched, 10);
    journal.recordFinished(watched, 1);
    journal.recordStopping(true);
    expect([heard.length, pictures]).toEqual([0, 0]);
    journal.recordRetried(task, 10, new Error("once more"));
    expect(heard).toMatchObject([{ type: "retried", delayMs: 10 }]);
  });

  test("follows the calendar where it is set anew, a millisecond later at the latest", async () => {
    const { clock, journal, ended } = setUp();
    const ends: (number | undefined)[] = [];
    journal.events.subscribe((event) => {
      if (event.type === "finished") ends.push(event.result.finishedAt);
    });
    journal.recordFinished(ended(), 1);
    clock.shiftWall(60_000);
    await clock.advance(0.5);
    journal.recordFinished(ended(), 1);
    await clock.advance(0.5);
    journal.recordFinished(ended(), 1);
    clock.shiftWall(-120_000);
    await clock.advance(10);
    journal.recordFinished(ended(), 1);
    expect(ends).toEqual([1_000_000, 1_000_000.5, 1_060_001, 940_011]);
  });
});
