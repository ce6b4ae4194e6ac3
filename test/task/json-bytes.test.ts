import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countJsonBytes, MAX_JSON_DEPTH } from "../../src/task/json-bytes.js";
import { runCount } from "../support/run-count.js";

const ROOM = 1_048_576;
const count = (value: unknown) => countJsonBytes(value, ROOM);
const stringified = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const { NaN: none, POSITIVE_INFINITY: infinite } = Number;

/** Texts of single code units, lone surrogates and control characters included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), anyText);
const scalar = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, 1e21, 2 ** 53, -(2 ** 60), 5e-324),
  fc.constantFrom(Symbol("s"), () => 1),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ depthSize: "medium", withCrossShrink: true }, scalar, tie("list"), tie("record")),
  list: fc.array(tie("tree"), { maxLength: 8 }),
  record: fc.dictionary(text, tie("tree"), { maxKeys: 8, noNullPrototype: false }),
}));
const hasText = (value: unknown) => JSON.stringify(value) !== undefined;

const json = tree.filter(hasText).map((value) => JSON.parse(JSON.stringify(value)));

/** Nested so many arrays deep. */
const nested = (depth: number) => {
  let value: unknown = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
};

describe("countJsonBytes", () => {
  it("is the length of the JSON text of any plain value", () => {
    fc.assert(
      fc.property(tree.filter(hasText), (value) => {
        expect(count(value)).toBe(stringified(value));
      }),
      { numRuns: runCount(1_000, 50_000) },
    );
  });

  it("is the length of the JSON text of every code unit, alone and between surrogates", () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      const one = String.fromCharCode(unit);
      if (count(one) !== stringified(one)) expect.unreachable(`U+${unit.toString(16)}`);
    }
    for (const parts of [
      "\ud83d\ude00",
      "\ude00\ud83d",
      "\ud83d\ud83d\ude00",
      "\ud83dx",
      "x\ude00",
      "\ud83d",
    ])
      expect(count(parts)).toBe(stringified(parts));
  });

  it("is the length of the JSON text of numbers around every power of ten", () => {
    for (let power = 0; power < 25; power++) {
      const near = [10 ** power - 1, 10 ** power, 10 ** power + 1, 10 ** -power];
      for (const value of near.flatMap((one) => [one, -one]))
        expect(count(value), String(value)).toBe(stringified(value));
    }
    for (const value of [none, infinite, -infinite, -0, Number.MAX_VALUE, Number.MIN_VALUE, 0.1 + 0.2])
      expect(count(value)).toBe(stringified(value));
  });

  it("is 0 for what has no JSON text", () => {
    for (const value of [undefined, () => 1, Symbol("s"), class {}]) expect(count(value)).toBe(0);
  });

  it("reads a Date as its ISO text, whatever its members say", () => {
    const dates = [0, -1, 253_402_300_799_999, 253_402_300_800_000, -62_167_219_200_000, -62_167_219_200_001];
    for (const at of [...dates, 8.64e15, none]) expect(count(new Date(at))).toBe(stringified(new Date(at)));
    const lies = Object.assign(new Date(0), { toJSON: () => "x".repeat(100), getTime: () => none });
    expect(count([lies])).toBe(28);
  });

  it("reads what JSON cannot hold: bigints by digits, buffers by bytes, maps and sets by entries", () => {
    expect([count(0n), count(-123n), count([10n ** 30n])]).toEqual([1, 4, 33]);
    for (const buffer of [new ArrayBuffer(7), new SharedArrayBuffer(7), Buffer.alloc(7), new Uint8Array(7)])
      expect(count([buffer])).toBe(9);
    expect(count(new DataView(new ArrayBuffer(7), 2))).toBe(5);
    expect(count(new Float64Array(7))).toBe(56);
    expect(count(Object.defineProperty(new Uint8Array(7), "byteLength", { value: -1e9 }))).toBe(7);
    const entries: [unknown, unknown][] = [
      ["ab", { a: 1 }],
      [2, undefined],
      [[1], "x"],
    ];
    for (const some of [[], entries.slice(0, 1), entries]) {
      expect(count(new Map(some))).toBe(stringified(some));
      expect(count(new Set(some))).toBe(stringified(some));
    }
  });

  it("calls no toJSON, and reads of an instance what is its own", () => {
    class Point {
      x = 1;
      static calls = 0;
      toJSON() {
        Point.calls++;
        return "a very long text instead";
      }
    }
    expect(count(new Point())).toBe(7);
    expect(count({ x: 1, toJSON: () => expect.unreachable("toJSON was called") })).toBe(7);
    expect(Point.calls).toBe(0);
    expect(count(Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }))).toBe(9);
  });

  it("Z4: counts members by names that mean something elsewhere", () => {
    const value = JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1},"then":1,"toString":2}');
    expect(count(value)).toBe(stringified(value));
  });
});

describe("the bound of countJsonBytes", () => {
  it("Z7: lets limit - 1 and limit through and stops one byte above, for any value", () => {
    fc.assert(
      fc.property(json, (value) => {
        const bytes = stringified(value);
        expect(countJsonBytes(value, bytes)).toBe(bytes);
        expect(countJsonBytes(value, bytes - 1)).toBe(infinite);
      }),
    );
    for (const letter of ["x", "ä", "€", "😀", "\n", "\0", "\ud800"]) {
      const value = { to: [letter.repeat(100), letter] };
      const bytes = stringified(value);
      expect([bytes - 1, bytes, bytes + 1].map((max) => countJsonBytes(value, max))).toEqual([
        infinite,
        bytes,
        bytes,
      ]);
    }
  });

  it("has no room at all when the bound is no number", () => {
    expect(countJsonBytes(1, none)).toBe(infinite);
    expect(countJsonBytes(1, -1)).toBe(infinite);
    expect(countJsonBytes(1, 0)).toBe(infinite);
    expect(countJsonBytes(undefined, 0)).toBe(0);
  });

  it("Z6: takes 1,000 levels and no more, of arrays, objects, maps and sets", () => {
    expect(count(nested(MAX_JSON_DEPTH))).toBe(2 * MAX_JSON_DEPTH);
    expect(count(nested(MAX_JSON_DEPTH + 1))).toBe(infinite);
    expect(count(nested(100_000))).toBe(infinite);
    for (const wrap of [
      (of: unknown) => ({ of }),
      (of: unknown) => new Map([[of, 1]]),
      (of: unknown) => [of],
    ]) {
      const wrapped = (depth: number) => {
        let value: unknown = 1;
        for (let level = 0; level < depth; level++) value = wrap(value);
        return value;
      };
      expect(count(wrapped(MAX_JSON_DEPTH))).toBeLessThan(ROOM);
      expect(count(wrapped(MAX_JSON_DEPTH + 1))).toBe(infinite);
    }
  });

  it("Z6: ends at a cycle, also one through a map, a set or many members", () => {
    const list: unknown[] = [];
    list.push(list, list);
    const record: Record<string, unknown> = {};
    for (let key = 0; key < 100; key++) record[`k${key}`] = record;
    const map = new Map<unknown, unknown>();
    map.set(1, map);
    const set = new Set<unknown>();
    set.add([set]);
    for (const cyclic of [list, record, map, set]) expect(countJsonBytes(cyclic, infinite)).toBe(infinite);
  });

  it("Z6: stops early in what is huge: it reads no more than the bound allows", () => {
    let reads = 0;
    const counted = new Proxy([], {
      get: (target, key) => {
        if (key === "length") return 1e9;
        reads++;
        return Reflect.get(target, key);
      },
    });
    expect(countJsonBytes(counted, 1_000)).toBe(infinite);
    expect(reads).toBeLessThan(300);
    expect(countJsonBytes(new Array(4e9), 1_000)).toBe(infinite);
    expect(countJsonBytes("x".repeat(1e8), 1_000)).toBe(infinite);
    expect(count(1n << 1_000_000n)).toBe(infinite);
    expect(count(-(1n << 1_000_000n))).toBe(infinite);
    let doubled: unknown = [];
    for (let level = 0; level < 100; level++) doubled = [doubled, doubled];
    expect(count(doubled)).toBe(infinite);
  });

  it("Z6: counts members that are left out against the bound too, since each of them takes time", () => {
    let reads = 0;
    const members: PropertyDescriptorMap = {};
    for (let key = 0; key < 1_000; key++) members[`k${key}`] = { enumerable: true, get: () => void reads++ };
    const sparse = Object.defineProperties({}, members);
    expect(count(sparse)).toBe(2);
    expect(countJsonBytes(new Array(100_000).fill(sparse), 400_000)).toBe(infinite);
    expect(reads).toBeLessThan(402_000);
  });

  it("never throws: what cannot be read has no bound", () => {
    const fails = () => {
      throw new Error("hostile");
    };
    const getter = Object.defineProperty({}, "a", { enumerable: true, get: fails });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const traps = [new Proxy({}, { ownKeys: fails }), new Proxy({}, { getPrototypeOf: fails })];
    const fakes = [Date, Map, Set, ArrayBuffer].map((type) => Object.create(type.prototype));
    for (const hostile of [getter, proxy, ...traps, ...fakes, new Proxy(new Map(), {})]) {
      expect(count(hostile)).toBe(infinite);
      expect(count({ to: [hostile] })).toBe(infinite);
    }
  });

  it("never throws on whatever fast-check can make", () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withBoxedValues: true, withNullPrototype: true, withSparseArray: true, withObjectString: true },
    });
    fc.assert(
      fc.property(anything, fc.nat(2_000), (value, max) => {
        const bytes = countJsonBytes(value, max);
        expect(bytes === infinite || (bytes >= 0 && bytes <= max)).toBe(true);
      }),
    );
  });
});
