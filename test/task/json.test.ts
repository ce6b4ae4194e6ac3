import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { json } from "../../src/task/json.js";
import { MAX_JSON_DEPTH } from "../../src/task/json-bytes.js";
import { runSchema } from "../../src/task/schema.js";
import { thrownBy } from "../support/manual-manager.js";

const schema = json<Record<string, never>>();
/** What the schema says: nothing when it takes the value, else where it refuses it and why. */
const refusal = (value: unknown) => {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) return expect.unreachable("json() answers at once");
  if (result.issues === undefined) {
    expect(result.value).toBe(value);
    return undefined;
  }
  expect(result.issues).toHaveLength(1);
  return { path: result.issues[0]?.path ?? [], message: result.issues[0]?.message ?? "" };
};
const nested = (depth: number) => {
  let value: unknown = [];
  for (let level = 1; level < depth; level++) value = { of: value };
  return value;
};

describe("json()", () => {
  it("takes whatever JSON.parse can give, and gives it as it is", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        const hasPrototypeKey = text.includes("__proto__");
        if (!hasPrototypeKey) expect(refusal(value)).toBeUndefined();
      }),
    );
  });

  it("takes values that come back from JSON as they were, and refuses the others: no third kind", () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withBoxedValues: true, withNullPrototype: true, withSparseArray: true },
    });
    fc.assert(
      fc.property(anything, (value) => {
        if (refusal(value) !== undefined) return;
        // Members that are undefined and the sign of -0 are what a taken value may lose.
        expect(plain(JSON.parse(JSON.stringify(value)))).toEqual(plain(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it("takes members that are undefined, objects without a prototype, and keys of all kinds", () => {
    const bare = Object.assign(Object.create(null), { a: 1, b: undefined });
    for (const value of [bare, { a: undefined }, { "": 1, " ": 2, "1": 3 }, [], {}, null, "", 0, -0, false])
      expect(refusal(value)).toBeUndefined();
  });

  it.each([
    [{ to: [0, 1, 2, { at: new Date(0) }] }, ["to", 3, "at"], "JSON cannot hold a Date"],
    [{ a: { b: 10n } }, ["a", "b"], "JSON cannot hold a bigint"],
    [[() => 1], [0], "JSON cannot hold a function"],
    [{ a: Symbol("s") }, ["a"], "JSON cannot hold a symbol"],
    [{ a: Number.NaN }, ["a"], "JSON cannot hold NaN"],
    [{ a: -Infinity }, ["a"], "JSON cannot hold -Infinity"],
    [{ a: [1, undefined] }, ["a", 1], "JSON cannot hold undefined"],
    [Object.assign([], { 1: 3 }), [0], "JSON cannot hold undefined"], // a hole
    [{ a: new Map() }, ["a"], "JSON cannot hold a Map"],
    [{ a: new Set() }, ["a"], "JSON cannot hold a Set"],
    [{ a: new (class Point {})() }, ["a"], "JSON cannot hold an instance of a class"],
    [{ a: Buffer.alloc(1) }, ["a"], "JSON cannot hold an instance of a class"],
    [{ a: /x/ }, ["a"], "JSON cannot hold an instance of a class"],
    [{ a: new Error("x") }, ["a"], "JSON cannot hold an instance of a class"],
    [{ a: new String("x") }, ["a"], "JSON cannot hold an instance of a class"],
    [undefined, [], "JSON cannot hold undefined"],
    [() => 1, [], "JSON cannot hold a function"],
    [{ toJSON: () => 1 }, ["toJSON"], "JSON cannot hold a function"],
  ])("refuses %o with its path %j: %s", (value, path, message) => {
    expect(refusal(value)).toEqual({ path, message });
  });

  it("Z4: refuses the key __proto__ wherever it is, and takes other names for what they are", () => {
    expect(refusal(JSON.parse('{"a":[{"__proto__":{"admin":true}}]}'))).toMatchObject({
      path: ["a", 0, "__proto__"],
    });
    const names = JSON.parse(
      '{"constructor":{"prototype":{"a":1}},"toString":1,"hasOwnProperty":2,"then":3}',
    );
    expect(refusal(names)).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(refusal({ then: () => expect.unreachable("it was waited for") })).toMatchObject({
      path: ["then"],
    });
  });

  it("Z6: takes 1,000 levels, refuses more, and refuses cycles", () => {
    expect(refusal(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(refusal(nested(MAX_JSON_DEPTH + 1))?.message).toContain("nested deeper than 1000");
    expect(refusal(nested(100_000))?.message).toContain("nested deeper than 1000");
    const cyclic: { self: unknown[] } = { self: [1] };
    cyclic.self.push(cyclic, cyclic);
    expect(refusal(cyclic)?.message).toContain("or cyclic");
  });

  it("Z6: gives up on a value that refers to its parts ever so many times", () => {
    let doubled: unknown = [];
    for (let level = 0; level < 100; level++) doubled = [doubled, doubled];
    expect(refusal(doubled)?.message).toBe("more than 10000000 values");
  });

  it("lets a getter that throws throw, which counts as a schema that failed", () => {
    const error = new Error("hostile");
    const hostile = Object.defineProperty({}, "a", {
      enumerable: true,
      get() {
        throw error;
      },
    });
    expect(thrownBy(() => refusal(hostile))).toBe(error);
    expect(runSchema(schema, hostile)).toMatchObject({ refusal: { cause: error } });
  });
});

/** Without members that are undefined, without prototypes and without the sign of zeros. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? 0 : value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return new Map(members.map(([key, member]) => [key, plain(member)]));
}
