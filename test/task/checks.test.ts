import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import * as check from "../../src/task/checks.js";
import { thrownBy } from "../support/manual-manager.js";

const refuse = (one: check.Check<unknown>, values: readonly unknown[]) => {
  for (const value of values) {
    const error = thrownBy(() => one(value, "path"));
    expect(error, String(typeof value)).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option: "path" });
    expect((error as Error).message).toContain("Expected `path` to be");
  }
};
const { NaN: none, POSITIVE_INFINITY: infinite } = Number;

describe("readOptions", () => {
  interface Options {
    count?: number;
    nested?: { flag?: boolean };
  }
  const CHECKS: check.Checks<Options> = {
    count: check.integer(1),
    nested: (value, path) => check.readOptions<{ flag?: boolean }>(path, value, { flag: check.flag }),
  };
  const read = (input: unknown) => check.readOptions<Options>("", input, CHECKS);

  it("gives what was said and leaves out what was not", () => {
    expect(read(undefined)).toEqual({});
    expect(read({})).toEqual({});
    expect(read({ count: 1, nested: undefined })).toEqual({ count: 1 });
    expect(Object.keys(read({ count: undefined }))).toEqual([]);
    expect(read({ nested: { flag: true } })).toEqual({ nested: { flag: true } });
  });

  it("refuses an unknown name, with the nearest known one or all of them", () => {
    expect(thrownBy(() => read({ cuont: 1 }))).toMatchObject({
      option: "cuont",
      message: "Unknown option `cuont`; did you mean `count`?",
    });
    expect(thrownBy(() => read({ somethingElse: 1 }))).toMatchObject({
      message: "Unknown option `somethingElse`; known are count, nested",
    });
    expect(thrownBy(() => read({ nested: { flog: true } }))).toMatchObject({
      option: "nested.flog",
      message: "Unknown option `nested.flog`; did you mean `flag`?",
    });
  });

  it("refuses an unknown name even where its value is undefined: it is a slip all the same", () => {
    expect(() => read({ cuont: undefined })).toThrow(OptionError);
  });

  it("refuses names that every object has", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const input = Object.defineProperty({}, name, { value: 1, enumerable: true });
      expect(() => read(input)).toThrow(`Unknown option \`${name}\``);
    }
  });

  it("refuses what is no object, and names the path", () => {
    for (const input of [null, 1, "text", true, [], () => 1, Symbol("s")])
      expect(thrownBy(() => read(input))).toMatchObject({ option: "options" });
    expect(thrownBy(() => read({ nested: 5 }))).toMatchObject({ option: "nested" });
  });

  it("reads each option once", () => {
    let reads = 0;
    const input = {
      get count() {
        reads++;
        return reads;
      },
    };
    expect(read(input)).toEqual({ count: 1 });
    expect(reads).toBe(1);
  });

  it("takes no option from a prototype", () => {
    expect(read(Object.create({ count: 5 }))).toEqual({});
  });
});

describe("what a refusal says", () => {
  it.each([
    ["5", '"5" (string)'],
    [5, "`5` (number)"],
    [none, "`NaN` (number)"],
    [10n, "`10` (bigint)"],
    [true, "`true` (boolean)"],
    [null, "`null`"],
    [undefined, "`undefined`"],
    [[], "an array"],
    [{}, "an object"],
    [Object.create(null), "an object"],
    [() => 1, "a function"],
    [Symbol("s"), "`Symbol(s)` (symbol)"],
  ])("of %o: what was expected and %s", (value, found) => {
    expect(check.expected("path", "something else", value).message).toBe(
      `Expected \`path\` to be something else, found ${found}`,
    );
  });

  it("of a long text is short", () => {
    expect(check.expected("path", "short", "x".repeat(100_000)).message.length).toBeLessThan(150);
  });
});

describe("checks", () => {
  it("integer takes integers in its range, and makes -0 a 0", () => {
    const one = check.integer(-2, 3);
    for (const value of [-2, 0, 3]) expect(one(value, "path")).toBe(value);
    expect(Object.is(one(-0, "path"), 0)).toBe(true);
    refuse(one, [-3, 4, 0.5, none, infinite, "1", null, 1n]);
    expect(check.integer(1)(Number.MAX_SAFE_INTEGER, "path")).toBe(Number.MAX_SAFE_INTEGER);
    refuse(check.integer(1), [2 ** 53, 0, 1e308]);
  });

  it("duration takes numbers from its least to what a Date can reach", () => {
    for (const value of [0, 0.25, 2 ** 31, check.MAX_DURATION_MS])
      expect(check.duration(0)(value, "path")).toBe(value);
    refuse(check.duration(0), [-1, -Number.MIN_VALUE, none, infinite, 8.64e15 + 2, "1", null, new Date()]);
    refuse(check.duration(1), [0, 0.999]);
  });

  it("rate takes what is above 0, infinity included", () => {
    for (const value of [Number.MIN_VALUE, 1 / 3, infinite]) expect(check.rate(value, "path")).toBe(value);
    refuse(check.rate, [0, -0, -1, none, -infinite, "1", null]);
  });

  it("instant takes Dates and epoch milliseconds", () => {
    expect(check.instant(new Date(5), "path")).toBe(5);
    for (const value of [0, -1, 5.5, 8.64e15]) expect(check.instant(value, "path")).toBe(value);
    refuse(check.instant, [new Date(none), none, infinite, 8.64e15 + 2, "2026-01-01", null, {}]);
  });

  it("flag takes true and false alone", () => {
    expect([check.flag(true, "path"), check.flag(false, "path")]).toEqual([true, false]);
    refuse(check.flag, [0, 1, "true", null, {}]);
  });

  it("text takes strings up to its length", () => {
    for (const value of ["", "abc", "<img src=x>"]) expect(check.text(11)(value, "path")).toBe(value);
    refuse(check.text(3), ["abcd", 5, null, new String("abc")]);
  });

  it("name and queueName take 1 to 128 safe characters, a queue no colon", () => {
    const most = "x".repeat(128);
    for (const value of ["a", "A-Z_a.z:0", most]) expect(check.name(value, "path")).toBe(value);
    for (const value of ["a", "A-Z_a.z0", most]) expect(check.queueName(value, "path")).toBe(value);
    const bad = ["", `${most}x`, "a b", "a\n", "a\0", "{a}", "ä", "a/b", "*", 5, null, "a\r\nDEL x"];
    refuse(check.name, bad);
    refuse(check.queueName, [...bad, "a:b"]);
  });

  it("oneOf takes its values alone", () => {
    const one = check.oneOf("a", "b");
    expect(one("b", "path")).toBe("b");
    refuse(one, ["c", "", null, ["a"]]);
    expect(() => one("c", "path")).toThrow('Expected `path` to be "a" or "b", found "c" (string)');
  });

  it("having takes objects with all of its methods, inherited ones too", () => {
    const one = check.having<{ go(): void; stop(): void }>("a thing", "go", "stop");
    class Thing {
      go() {}
      stop() {}
    }
    const thing = new Thing();
    expect(one(thing, "path")).toBe(thing);
    refuse(one, [null, undefined, {}, { go() {} }, { go() {}, stop: 1 }, "text"]);
  });

  it("abortSignal takes signals, not what has one", () => {
    const { signal } = new AbortController();
    expect(check.abortSignal(signal, "path")).toBe(signal);
    refuse(check.abortSignal, [new AbortController(), {}, null, { aborted: false, addEventListener() {} }]);
  });

  it("callback takes functions", () => {
    const call = () => 1;
    expect(check.callback<() => number>()(call, "path")).toBe(call);
    refuse(check.callback(), [null, {}, "text"]);
  });
});
