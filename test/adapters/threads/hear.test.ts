import { expect, test } from "vitest";
import { hear, type MessageListener } from "../../../src/adapters/threads/hear.js";

/** Writes down what it is told. */
function listen(): { readonly told: unknown[][]; readonly listener: MessageListener } {
  const told: unknown[][] = [];
  const note =
    (name: string) =>
    (...given: unknown[]) => {
      told.push([name, ...given]);
    };
  const listener = {
    ...{ returned: note("returned"), threw: note("threw"), loaded: note("loaded") },
    ...{ loadFailed: note("loadFailed"), unread: note("unread"), heard: note("heard") },
    batch: {
      progressed: note("progressed"),
      enqueues: async (...given: unknown[]) => note("enqueues")(...given),
    },
    ...{ faultedLate: note("faultedLate"), carrierFailed: note("carrierFailed"), heapFull: note("heapFull") },
  };
  return { told, listener };
}

test("a result and an error are told with their place and how long the handler ran", () => {
  const { told, listener } = listen();
  const threw = { type: "threw", index: 2, error: { v: 1 }, runMs: 3, fault: false };
  hear([1, "value", 0.5], listener);
  hear(threw, listener);
  expect(told).toEqual([
    ["returned", 1, "value", 0.5],
    ["threw", threw],
  ]);
});

test("what is no message is told to nobody", () => {
  const { told, listener } = listen();
  for (const junk of [null, undefined, 0, "junk", 1n, true, { type: "no such" }, { type: 7 }])
    hear(junk, listener);
  expect(told).toEqual([]);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, -1, "12", undefined, null])(
  "a run time of %s is no time",
  (runMs) => {
    const { told, listener } = listen();
    hear([0, "value", runMs], listener);
    hear({ type: "threw", index: 0, error: {}, runMs, fault: false }, listener);
    expect(told).toMatchObject([
      ["returned", 0, "value", 0],
      ["threw", { runMs: 0 }],
    ]);
  },
);

test("what has neither a type nor a place is of no task", () => {
  const { told, listener } = listen();
  hear({}, listener);
  expect(told).toEqual([["returned", -1, undefined, 0]]);
});

test.each(["length", "__proto__", "at", "0", null, {}, undefined])("%s is no place in a batch", (index) => {
  const { told, listener } = listen();
  hear([index, "value", 1], listener);
  hear({ type: "threw", index, error: {}, runMs: 1, fault: false }, listener);
  hear({ type: "progress", index, value: 1 }, listener);
  hear({ type: "enqueue", index, call: 1 }, listener);
  expect(told).toMatchObject([
    ["returned", -1, "value", 1],
    ["threw", { index: -1 }],
    ["progressed", -1, 1],
    ["enqueues", { index: -1 }],
  ]);
});
