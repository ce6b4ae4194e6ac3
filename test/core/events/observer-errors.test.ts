import { describe, expect, test } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import type { ObserverErrorReporter } from "../../../src/task/observer-error.js";
import { ManualClock } from "../../../src/testing/index.js";

function createErrors(report: ObserverErrorReporter) {
  return new ObserverErrors({ clock: new ManualClock(), carrier: new AsyncContext(), report });
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("errors of observers", () => {
  test("are counted at once and reported once each, in order, after the present call", async () => {
    const reports: unknown[] = [];
    const errors = createErrors((...report) => reports.push(report));
    const [first, second] = [new Error("first"), new Error("second")];
    errors.record(first, "hook", "onFinished");
    errors.record(second, "listener");
    expect(errors.count).toBe(2);
    expect(reports).toEqual([]);
    await errors.reported();
    expect(reports).toEqual([
      [first, { source: "hook", name: "onFinished" }],
      [second, { source: "listener", name: undefined }],
    ]);
    await settle();
    expect(reports).toHaveLength(2);
  });

  test("are only counted where nobody wants reports", async () => {
    const errors = new ObserverErrors();
    errors.record(new Error("unheard"), "carrier");
    await errors.reported();
    expect(errors.count).toBe(1);
  });

  test.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("reporter");
      },
    ],
    ["rejects", () => Promise.reject(new Error("reporter"))],
    ["gives what breaks when it is awaited", () => ({ then: () => expect.fail("then") })],
  ])("count a reporter that %s, and do not report that", async (_, fail) => {
    let calls = 0;
    const errors = createErrors(() => {
      calls++;
      return fail();
    });
    errors.record(new Error("one"), "hook", "onQueued");
    errors.record(new Error("two"), "filter", "subscriber-1");
    await errors.reported();
    await settle();
    expect(calls).toBe(2);
    expect(errors.count).toBe(4);
  });

  test("give the reporter no `this` and an origin that it cannot change", async () => {
    const seen: unknown[] = [];
    const errors = createErrors(function (this: unknown, _, origin) {
      seen.push(this, Object.isFrozen(origin));
    });
    errors.record(new Error("one"), "hook", "onQueued");
    await errors.reported();
    expect(seen).toEqual([undefined, true]);
  });

  test("leave the event loop its turn when the reporter causes more of them", async () => {
    let reports = 0;
    const errors: ObserverErrors = createErrors(() => {
      reports++;
      errors.record(new Error("again"), "hook", "onQueued");
    });
    errors.record(new Error("first"), "hook", "onQueued");
    for (let turn = 0; turn < 5; turn++) await settle();
    expect(reports).toBeGreaterThan(2);
    expect(reports).toBeLessThan(8);
  });

  test("wait for their report in a bounded number, and are all counted", async () => {
    let reports = 0;
    const errors = createErrors(() => reports++);
    for (let count = 0; count < 10_500; count++) errors.record(count, "listener");
    expect(errors.count).toBe(10_500);
    await errors.reported();
    expect(reports).toBe(10_000);
    errors.record("later", "listener");
    await errors.reported();
    expect(reports).toBe(10_001);
  });
});
