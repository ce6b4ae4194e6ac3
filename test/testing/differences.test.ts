import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { differences, show } from "../../src/testing/differences.js";

test("names each place where two values differ", () => {
  const expected = { to: "a", list: [1, { deep: true }], gone: null };
  const found = { to: "b", list: [1, { deep: 1 }, 2], "odd name": undefined };
  expect(differences(expected, found, "payload")).toEqual([
    "payload.to: expected 'a', found 'b'",
    "payload.list[1].deep: expected true, found 1",
    "payload.list[2]: not expected, found 2",
    "payload.gone: missing, expected null",
    'payload["odd name"]: not expected, found undefined',
  ]);
});

test("compares values of two kinds as a whole", () => {
  expect(differences([], {}, "payload")).toEqual(["payload: expected [], found {}"]);
  expect(differences({ a: 1 }, null, "payload")).toEqual(["payload: expected { a: 1 }, found null"]);
  expect(differences(new Map([[1, 2]]), new Map([[1, 3]]), "it")).toEqual([
    "it: expected Map(1) { 1 => 2 }, found Map(1) { 1 => 3 }",
  ]);
});

test("tells five differences and how many more there are", () => {
  const found = Array.from({ length: 8 }, (_, index) => index);
  const lines = differences([], found, "list");
  expect(lines).toHaveLength(6);
  expect(lines.at(-1)).toBe("and 3 more");
});

test("finds a difference wherever there is one, and none elsewhere", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (one, other) => {
      expect(differences(one, structuredClone(one), "payload")).toEqual([]);
      expect(differences(one, other, "payload").length === 0).toBe(isDeepStrictEqual(one, other));
    }),
  );
});

test("ends with values that hold themselves, and with very deep ones", () => {
  const cyclic: Record<string, unknown> = { name: "a" };
  cyclic["self"] = cyclic;
  const other: Record<string, unknown> = { name: "b" };
  other["self"] = other;
  expect(differences(cyclic, other, "payload").length).toBeGreaterThan(0);
  let deep: unknown = 1;
  for (let level = 0; level < 500; level++) deep = { deep };
  expect(show(deep).length).toBeLessThan(500);
});

test("shows a value without running its code", () => {
  const custom = {
    [Symbol.for("nodejs.util.inspect.custom")]: () => expect.unreachable("called"),
    get trap(): never {
      return expect.unreachable("read");
    },
  };
  expect(show(custom)).toContain("[Getter]");
});
