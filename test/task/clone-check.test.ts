import { runInNewContext } from "node:vm";
import { MessageChannel } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkClone } from "../../src/task/clone-check.js";
import { countJsonBytes } from "../../src/task/json-bytes.js";

const ROOM = 1_048_576;
const check = (value: unknown, maxBytes = ROOM) => checkClone(value, maxBytes, "payload");
const fails = (): never => {
  throw new Error("hostile");
};

class Point {
  x = 1;
  y = { z: 2 };
  toString() {
    return "a method of the prototype";
  }
}

class Tagged {
  get [Symbol.toStringTag]() {
    return "Tagged";
  }
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

/** What structured clone refuses, each made anew. */
const refused: Readonly<Record<string, () => unknown>> = {
  "a function": () => () => 1,
  "a class": () => class {},
  "a symbol": () => Symbol("s"),
  "a boxed symbol": () => Object(Symbol("s")),
  "a promise": () => Promise.resolve(1),
  "a WeakMap": () => new WeakMap(),
  "a WeakSet": () => new WeakSet(),
  "a WeakRef": () => new WeakRef({}),
  "a FinalizationRegistry": () => new FinalizationRegistry(() => undefined),
  "a generator": () =>
    (function* () {
      yield 1;
    })(),
  "an iterator of a Map": () => new Map().keys(),
  "a detached ArrayBuffer": detached,
  "a view of a detached buffer": () => {
    const view = new Uint8Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  },
  "a stream": () => new ReadableStream(),
  "a format of Intl": () => new Intl.NumberFormat("en"),
};

const scalar = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
);
const cloneable = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    scalar,
    fc.constantFrom(/x+/g, new Date(0), new Date(Number.NaN), Object(1), Object("text"), Object(1n)),
    fc.uint8Array().map((bytes) => bytes.buffer),
    fc.oneof(fc.uint8Array(), fc.float64Array(), fc.uint16Array()),
    fc.array(tie("tree"), { maxLength: 6 }),
    fc.dictionary(fc.string(), tie("tree"), { maxKeys: 6 }),
    fc.array(fc.tuple(tie("tree"), tie("tree")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("tree"), { maxLength: 4 }).map((values) => new Set(values)),
    tie("tree").map((y) => Object.assign(new Point(), { y })),
    tie("tree").map((cause) => new TypeError("bad", { cause })),
    tie("tree").map((value) => Object.assign(new Tagged(), { value })),
  ),
})).tree;

/** Puts a value somewhere into a larger one; `step` is what that adds to its path. */
interface Wrapping {
  readonly step: string;
  wrap(value: unknown): unknown;
}
const wrapping: fc.Arbitrary<Wrapping> = fc.oneof(
  fc.array(scalar, { maxLength: 40 }).map((before) => ({
    step: `[${before.length}]`,
    wrap: (value: unknown) => [...before, value, 1],
  })),
  fc
    .tuple(fc.dictionary(fc.string(), scalar), fc.constantFrom("to", "a key", "__proto__", "then"))
    .map(([others, key]) => ({
      step: key === "a key" ? '["a key"]' : `.${key}`,
      wrap: (value: unknown) =>
        Object.defineProperty({ ...others }, key, { value, enumerable: true, configurable: true }),
    })),
  fc.constantFrom<Wrapping>(
    { step: "(key)", wrap: (value) => new Map([["key", value]]) },
    {
      step: "(entry 1)",
      wrap: (value) =>
        new Map<unknown, unknown>([
          [1, 2],
          [{}, value],
        ]),
    },
    {
      step: "(key 1)",
      wrap: (value) =>
        new Map<unknown, unknown>([
          [1, 2],
          [value, 3],
        ]),
    },
    { step: "(1)", wrap: (value) => new Set([1, value]) },
    { step: ".y", wrap: (value) => Object.assign(new Point(), { y: value }) },
    { step: ".cause", wrap: (cause) => new Error("outer", { cause }) },
    { step: ".index", wrap: (index) => Object.assign(["match"], { index }) },
  ),
);

describe("checkClone", () => {
  it("accepts whatever structured clone takes", () => {
    fc.assert(
      fc.property(cloneable, (value) => {
        expect(() => structuredClone(value)).not.toThrow();
        expect(check(value)).toEqual({ bytes: expect.any(Number) });
      }),
      { numRuns: 1_000 },
    );
  });

  it("finds what structured clone refuses, wherever it is, and says where", () => {
    const planted = fc.tuple(
      fc.constantFrom(...Object.keys(refused)),
      fc.array(wrapping, { minLength: 1, maxLength: 6 }),
    );
    fc.assert(
      fc.property(planted, ([name, wrappings]) => {
        let value = refused[name]?.();
        let path = "";
        for (const { step, wrap } of wrappings) {
          value = wrap(value);
          path = step + path;
        }
        expect(() => structuredClone(value)).toThrow();
        expect(check(value)).toEqual({
          path: `payload${path}`,
          problem: expect.stringContaining("cannot be"),
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(Object.keys(refused))("refuses %s as the whole value", (name) => {
    const value = refused[name]?.();
    expect(() => structuredClone(value)).toThrow();
    expect(check(value)).toEqual({ path: "payload", problem: expect.stringContaining("cannot be cloned") });
  });

  it("counts plain JSON values as countJsonBytes does", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(check(plain)).toEqual({ bytes: countJsonBytes(plain, ROOM) });
      }),
      { numRuns: 1_000 },
    );
  });

  it("agrees with structured clone about whatever fast-check can make, and never throws", () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withBoxedValues: true, withNullPrototype: true, withSparseArray: true, withObjectString: true },
      maxDepth: 4,
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(() => structuredClone(value)).not.toThrow();
        // A sparse array may be said to be longer than there is room.
        const { problem } = check(value) as { problem?: string };
        expect(problem ?? "takes more").toMatch("takes more");
      }),
    );
  });

  it("accepts instances of classes, blobs and objects of another realm", () => {
    for (const value of [new Point(), new Blob(["x"]), new Tagged(), new AbortController().signal])
      expect(check({ value })).toHaveProperty("bytes");
    const foreign = "({ at: new Date(0), map: new Map([[1, new Set([/x/])]]), error: new TypeError('x') })";
    expect(check(runInNewContext(foreign))).toHaveProperty("bytes");
    expect(check(runInNewContext("new Map([['a', () => 1]])"))).toMatchObject({ path: "payload(a)" });
  });

  it("asks the version of Node that it runs in about classes of the web", () => {
    for (const value of [new URL("http://x.y"), new Headers(), new Response("x"), new DOMException("x")]) {
      const isTaken = "bytes" in check({ value });
      if (isTaken) expect(() => structuredClone(value)).not.toThrow();
      else expect(() => structuredClone(value)).toThrow();
    }
  });

  it("reads accessors once, and refuses those that throw", () => {
    let reads = 0;
    const value = {
      list: [
        {
          get counted() {
            return ++reads;
          },
        },
      ],
    };
    expect(check(value)).toHaveProperty("bytes");
    expect(reads).toBe(1);
    const hostile = Object.defineProperty({}, "at", { enumerable: true, get: fails });
    expect(check({ to: [hostile] })).toEqual({ path: "payload.to[0].at", problem: "it cannot be read" });
    const error = Object.defineProperty(new Error("x"), "message", { get: fails });
    expect(check({ error })).toEqual({ path: "payload.error.message", problem: "it cannot be read" });
  });

  it("never throws at proxies whose traps do, and says where they are", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const traps = [new Proxy({}, { ownKeys: fails }), new Proxy({}, { getPrototypeOf: fails }), proxy];
    for (const hostile of traps) {
      expect(check(hostile)).toMatchObject({ path: "payload" });
      expect(check({ to: [1, hostile] })).toEqual({ path: "payload.to[1]", problem: "it cannot be read" });
    }
  });

  it("accepts what only pretends to be a built-in, as structured clone does", () => {
    const types = [Date, Map, Set, RegExp, ArrayBuffer, Error, Promise];
    for (const type of types) {
      const fake: object = Object.create(type.prototype, { own: { value: 1, enumerable: true } });
      expect(() => structuredClone(fake), type.name).not.toThrow();
      expect(check(fake), type.name).toHaveProperty("bytes");
    }
  });

  it("looks at the members that a short array has besides its elements", () => {
    expect(check(/b/.exec("abc"))).toHaveProperty("bytes");
    expect(check(Object.assign([1, 2], { onDone: fails }))).toMatchObject({ path: "payload.onDone" });
    expect(check(Object.assign(new Array(2), { onDone: fails }))).toMatchObject({ path: "payload.onDone" });
  });
});

describe("the bound of checkClone", () => {
  it("lets the bound through and stops one byte above, and says so", () => {
    fc.assert(
      fc.property(cloneable, (value) => {
        const { bytes } = check(value) as { bytes: number };
        expect(check(value, bytes)).toEqual({ bytes });
        expect(check(value, bytes - 1)).toMatchObject({ problem: `takes more than ${bytes - 1} bytes` });
      }),
    );
  });

  it("counts an object once that is there several times, whether they are few or many", () => {
    const shared = { text: "x".repeat(1_000) };
    for (const others of [0, 15, 16, 17, 100]) {
      const filler = Array.from({ length: others }, () => ({}));
      const { bytes: once } = check([...filler, shared]) as { bytes: number };
      expect(check([...filler, shared, shared, shared])).toEqual({ bytes: once + 4 });
    }
  });

  it("ends at cycles, which structured clone takes", () => {
    const list: unknown[] = [];
    const map = new Map<unknown, unknown>([["list", list]]);
    const set = new Set<unknown>([map]);
    list.push(list, set, { list, map }, new Error("round", { cause: list }));
    expect(() => structuredClone(list)).not.toThrow();
    expect(checkClone(list, Number.POSITIVE_INFINITY, "payload")).toHaveProperty("bytes");
  });

  it("refuses an Error that holds itself, which Node 20 writes but cannot read", () => {
    const error = new Error("round");
    for (const cause of [error, { to: [error] }, new Error("between", { cause: error })]) {
      error.cause = cause;
      expect(check({ error })).toMatchObject({
        path: expect.stringMatching(/^payload\.error\.cause/),
        problem: "an Error that holds itself cannot be cloned",
      });
    }
    error.cause = "settled";
    expect(check([error, error, { cause: new Error("outer", { cause: error }) }])).toHaveProperty("bytes");
  });

  it("Z6: takes 1,000 levels and no more", () => {
    const nested = (depth: number) => {
      let value: unknown = [];
      for (let level = 1; level < depth; level++) value = level % 2 === 0 ? [value] : { value };
      return value;
    };
    expect(check(nested(1_000))).toHaveProperty("bytes");
    expect(check(nested(1_001))).toMatchObject({ problem: "nested deeper than 1000 levels" });
    const { path } = check(nested(100_000)) as { path: string };
    expect(path.length).toBe(200);
  });

  it("Z6: walks into nothing that is too large to be taken", () => {
    expect(check(Buffer.alloc(100_000_000))).toMatchObject({ problem: "takes more than 1048576 bytes" });
    expect(check({ rows: ["x".repeat(1e8)] })).toMatchObject({ path: "payload.rows[0]" });
    expect(check(new Array(4e9))).toMatchObject({ problem: "takes more than 1048576 bytes" });
    expect(check(1n << 10_000_000n)).toMatchObject({ problem: "takes more than 1048576 bytes" });
    let reads = 0;
    const lazy = new Proxy([], {
      get: (target, key) => (key === "length" ? 1e9 : Reflect.get(target, key, ++reads)),
    });
    expect(check(lazy, 1_000)).toMatchObject({ problem: "takes more than 1000 bytes" });
    expect(reads).toBeLessThan(300);
  });

  it("counts a view with the whole buffer under it, once, since that is what is copied", () => {
    const pool = new ArrayBuffer(10_000);
    expect(structuredClone(new Uint8Array(pool, 0, 10)).buffer.byteLength).toBe(10_000);
    expect(check([new Uint8Array(pool, 0, 10), new DataView(pool, 5), pool])).toEqual({ bytes: 10_006 });
  });
});

describe("what checkClone is told of buffers and ports", () => {
  it("accepts and does not count what is in `transfer`", () => {
    const buffer = new ArrayBuffer(10_000_000);
    const { port1, port2 } = new MessageChannel();
    const value = { buffer, view: new Uint8Array(buffer), port: port1 };
    expect(checkClone(value, 1_000, "payload", [buffer, port1])).toHaveProperty("bytes");
    expect(checkClone(value, 1_000, "payload", [port1])).toMatchObject({ path: "payload.buffer" });
    expect(checkClone(value, 1_000, "payload", [buffer])).toEqual({
      path: "payload.port",
      problem: "an object of MessagePort cannot be cloned",
    });
    port1.close();
    port2.close();
  });

  it("P13: refuses shared memory where it is told to, and else counts nothing for it", () => {
    const shared = new SharedArrayBuffer(10_000_000);
    for (const value of [shared, new Uint8Array(shared), new DataView(shared)]) {
      expect(checkClone({ value }, 1_000, "payload")).toHaveProperty("bytes");
      expect(checkClone({ value }, 1_000, "result", [], "refused")).toEqual({
        path: "result.value",
        problem: "a SharedArrayBuffer is not allowed here",
      });
    }
  });
});
