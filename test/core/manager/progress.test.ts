import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { Alarms } from "../../../src/core/manager/alarms.js";
import { Calendar } from "../../../src/core/manager/calendar.js";
import { Journal } from "../../../src/core/manager/journal.js";
import { Progress } from "../../../src/core/manager/progress.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

interface Report {
  readonly at: number;
  readonly value: unknown;
}

function createProgress() {
  const clock = new ManualClock();
  const alarms = new Alarms(clock);
  const journal = new Journal(new Calendar(clock), new ObserverErrors());
  const reports: Report[] = [];
  journal.events.subscribe((event) => {
    if (event.type === "progress") reports.push({ at: clock.now(), value: event.value });
  });
  const told: unknown[] = [];
  const progress = new Progress(newTask(), { alarms, clock, journal }, (value) => told.push(value));
  return { clock, alarms, journal, reports, told, progress };
}

describe("progress of an attempt", () => {
  test("is published at once, then at most every 100 ms, where the last value wins", async () => {
    const { clock, progress, reports, told } = createProgress();
    progress.report("a");
    progress.report("b");
    await clock.advance(30);
    progress.report("c");
    await clock.advance(69);
    expect(reports).toEqual([{ at: 0, value: "a" }]);
    await clock.advance(1);
    expect(reports.at(-1)).toEqual({ at: 100, value: "c" });
    await clock.advance(99);
    progress.report("d");
    await clock.advance(1);
    expect(reports.at(-1)).toEqual({ at: 200, value: "d" });
    await clock.advance(500);
    progress.report("e");
    expect(reports).toHaveLength(4);
    expect(reports.at(-1)).toEqual({ at: 700, value: "e" });
    expect(told).toEqual(reports.map(({ value }) => value));
  });

  test("that was held back is published at the end, also undefined, and nothing else is", async () => {
    const { alarms, clock, progress, reports } = createProgress();
    progress.end(clock.now());
    expect(reports).toEqual([]);
    progress.report("a");
    progress.report(undefined);
    progress.end(clock.now());
    progress.end(clock.now());
    expect(reports).toEqual([
      { at: 0, value: "a" },
      { at: 0, value: undefined },
    ]);
    await clock.advance(1_000);
    expect(reports).toHaveLength(2);
    expect(alarms.size).toBe(0);
  });

  test("does not wait for an alarm that is late", async () => {
    const { alarms, clock, progress, reports } = createProgress();
    progress.report("a");
    progress.report("b");
    clock.block(150); // the event loop was held up
    progress.report("c");
    expect(reports.at(-1)).toEqual({ at: 150, value: "c" });
    expect(alarms.size).toBe(0);
    await clock.advance(1_000);
    expect(reports).toHaveLength(2);
  });

  test("is what a model says, whenever it is reported", async () => {
    const waits = fc.array(fc.nat(250), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(waits, async (pauses) => {
        const { clock, progress, reports } = createProgress();
        const said: Report[] = [];
        for (const pause of pauses) {
          said.push({ at: clock.now(), value: said.length });
          progress.report(said.at(-1)?.value);
          await clock.advance(pause);
        }
        progress.end(clock.now());
        expect(reports.at(-1)?.value).toBe(said.at(-1)?.value);
        for (const [index, { at, value }] of reports.entries()) {
          const latest = said.findLast((one) => one.at <= at);
          const before = reports[index - 1];
          const isLast = index === reports.length - 1;
          expect(at >= (said[Number(value)]?.at ?? 0)).toBe(true);
          if (before !== undefined && !isLast) expect(at - before.at).toBeGreaterThanOrEqual(100);
          // A report at the very instant at which what was held back is published comes after it.
          if (latest?.at !== at) expect(value).toBe(latest?.value);
        }
      }),
      { numRuns: 50 },
    );
  });
});
