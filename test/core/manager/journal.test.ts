import { describe, expect, test } from "vitest";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { Calendar } from "../../../src/core/manager/calendar.js";
import { Journal } from "../../../src/core/manager/journal.js";
import { MOVES } from "../../../src/task/states.js";
import type { Task } from "../../../src/task/task.js";
import type { TaskEvent, TaskEventType } from "../../../src/task/task-event.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

function setUp() {
  const clock = new ManualClock({ wallNow: 1_000_000 });
  const journal = new Journal(new Calendar(clock), new ObserverErrors());
  const ended = (): Task => {
    const task = newTask({ state: "running" });
    task.move(MOVES.running.complete);
    task.finishedAt = clock.now();
    return task;
  };
  return { clock, journal, ended };
}

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
  for (const type of ["scheduled", "dropped", "abandoned"] as const) journal.record(type, task);
  journal.recordQueued(task);
  journal.recordStarted(task);
  journal.recordProgress(task, 1);
  journal.recordRetried(task, 1, new Error("fails"));
  journal.recordRescheduled(task, 1);
  journal.recordFinished(task, 1);
}

describe("a journal", () => {
  test("pictures a task for those events only that somebody hears", () => {
    const clock = new CountingClock();
    const journal = new Journal(new Calendar(clock), new ObserverErrors());
    journal.snapshot(newTask());
    clock.looks = 0;
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
    journal.recordStarted(watched);
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

  test("tells an instant by the same number at each look, and by another once the calendar was changed", () => {
    const clock = new (class extends ManualClock {
      /** What the calendar lies behind the monotonic clock: it counts whole milliseconds. */
      behind = 0;

      override wallNow(): number {
        return super.wallNow() - this.behind;
      }
    })();
    const journal = new Journal(new Calendar(clock), new ObserverErrors());
    const task = newTask();
    const seen = [0, 0.9, 0.2, 0.99, 0].map((behind) => {
      clock.behind = behind;
      return journal.snapshot(task).enqueuedAt;
    });
    expect(new Set(seen).size).toBe(1);
    clock.behind = -3_600_000;
    expect(journal.snapshot(task).enqueuedAt - (seen[0] as number)).toBe(3_600_000);
  });
});
