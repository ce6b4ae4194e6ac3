import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { metadataCheck, NO_METADATA } from "../../src/task/metadata.js";
import { thrownBy } from "../support/manual-manager.js";

const read = (value: unknown) => metadataCheck(value, "metadata");

describe("metadata", () => {
  it("is a frozen copy without a prototype", () => {
    const given = { tenant: "a", count: 5, urgent: false };
    const copy = read(given);
    given.tenant = "b";
    expect({ ...copy }).toEqual({ tenant: "a", count: 5, urgent: false });
    expect(Object.isFrozen(copy)).toBe(true);
    expect(Object.getPrototypeOf(copy)).toBeNull();
    expect(Object.getPrototypeOf(NO_METADATA)).toBeNull();
  });

  it("takes keys that mean something elsewhere for what they are", () => {
    const copy = read(JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","then":"d"}'));
    expect(Object.entries(copy)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
      ["toString", "c"],
      ["then", "d"],
    ]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it("refuses what is no object of scalars, and names the key", () => {
    for (const value of [null, [], "text", 5]) expect(() => read(value)).toThrow(OptionError);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, null, undefined, {}, [], 1n, () => 1]) {
      expect(thrownBy(() => read({ fine: 1, wrong: value }))).toMatchObject({ option: "metadata.wrong" });
    }
  });

  it("takes 64 keys and refuses 65", () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1]));
    expect(Object.keys(read(keys(64)))).toHaveLength(64);
    expect(() => read(keys(65))).toThrow("at most 64 keys");
  });

  it("takes 16 KiB of UTF-8 and refuses one byte more", () => {
    const room = 16 * 1_024 - 1; // the key takes one byte
    expect(read({ a: "x".repeat(room) })["a"]).toHaveLength(room);
    expect(() => read({ a: "x".repeat(room + 1) })).toThrow("at most 16384 bytes");
    expect(read({ a: `${"ä".repeat((room - 1) / 2)}x` })["a"]).toHaveLength((room - 1) / 2 + 1);
    expect(() => read({ a: `${"ä".repeat((room - 1) / 2)}xx` })).toThrow(OptionError);
  });
});
