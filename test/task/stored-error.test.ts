import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as errors from "../../src/errors.js";
import { CrashLoopError } from "../../src/store-errors.js";
import { isSkipRetry, skipRetry } from "../../src/task/steering.js";
import { fromStoredError, MAX_STORED_ERROR_BYTES, toStoredError } from "../../src/task/stored-error.js";
import { runCount } from "../support/run-count.js";
import { takesLong } from "../support/takes-long.js";

const keysOfPrototypes = () => [Object.prototype, Array.prototype].flatMap((each) => Reflect.ownKeys(each));
let keysBefore: readonly PropertyKey[] = [];
beforeAll(() => {
  keysBefore = keysOfPrototypes();
});
afterAll(() => expect(keysOfPrototypes()).toEqual(keysBefore));

const stored = (thrown: unknown) => {
  const text = toStoredError(thrown);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_STORED_ERROR_BYTES);
  return fromStoredError(text);
};
const withFields = <F extends object>(fields: F) =>
  stored(Object.assign(new Error("bad"), fields)) as Error & F;

describe("a stored error", () => {
  it("comes back with its class, message, stack and causes", () => {
    const cause = new RangeError("below");
    const error = new TypeError("bad", { cause });
    const kept = stored(error);
    expect(kept).toBeInstanceOf(TypeError);
    expect([kept.message, kept.stack]).toEqual([error.message, error.stack]);
    expect(kept.cause).toBeInstanceOf(RangeError);
    expect((kept.cause as Error).stack).toBe(cause.stack);
    const many = stored(new AggregateError([new Error("one"), "two"], "both")) as AggregateError;
    expect(many.errors).toMatchObject([{ message: "one" }, "two"]);
    expect("cause" in stored(new Error("none"))).toBe(false);
    const nothing = stored(new Error("x", { cause: undefined }));
    expect([Object.hasOwn(nothing, "cause"), nothing.cause]).toEqual([true, undefined]);
  });

  it("of our catalogue comes back as itself, with all it carries", () => {
    const issues = { issues: [{ message: "expected a text", path: "payload.to" }], omittedIssues: 3 };
    for (const error of [
      new errors.TaskTimeoutError("mail:1", 50),
      new errors.TaskCancelledError("cancelled", "mail:1", { cause: "no longer needed" }),
      new errors.QueueFullError("full", 10),
      new errors.PayloadError("refused", "send", issues, { cause: new SyntaxError("x") }),
      new CrashLoopError("mail:1", 11),
    ]) {
      const kept = stored(error);
      expect(kept.constructor).toBe(error.constructor);
      expect({ ...kept }).toEqual({ ...error });
      expect(kept.cause).toEqual(error.cause);
    }
  });

  it("keeps fields that JSON has no word for", () => {
    const shared = { a: 1 };
    const fields = {
      big: 2n ** 64n,
      at: new Date(5),
      never: new Date(Number.NaN),
      bytes: Uint8Array.of(1, 2, 255),
      buffer: Uint8Array.of(7).buffer,
      floats: Float64Array.of(0.1, -0),
      nothing: undefined,
      numbers: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0],
      byName: new Map<unknown, unknown>([[1n, new Set(["x"])]]),
      twice: [shared, shared],
    };
    const kept = withFields(fields);
    expect(Object.is(kept.numbers[3], -0)).toBe(true);
    for (const key of Object.keys(fields)) expect(Reflect.get(kept, key)).toEqual(Reflect.get(fields, key));
    expect(kept.twice[0]).toBe(kept.twice[1]);
    const named = Object.defineProperty(new Error("x"), "__proto__", {
      value: { polluted: true },
      enumerable: true,
    });
    expect(Object.getOwnPropertyDescriptor(stored(named), "__proto__")?.value).toEqual({ polluted: true });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const { loop } = withFields({ loop: cyclic }) as unknown as { loop: { self: unknown } };
    expect(loop.self).toBe(loop);
  });

  it("tells as a text what cannot be kept", () => {
    expect(withFields({ pattern: /a+/g, call: () => 1, tag: Symbol("x"), map: new WeakMap() })).toMatchObject(
      {
        ...{ pattern: "/a+/g", call: "[function]", tag: "[symbol]", map: "[WeakMap]" },
      },
    );
    const hostile = new Error("x");
    Object.defineProperty(hostile, "message", {
      get() {
        throw new Error("hostile");
      },
    });
    expect(stored(hostile).message).toContain("cannot be read");
  });

  it("keeps steering, and what is no Error as the cause of one", () => {
    expect(isSkipRetry(stored(skipRetry(new Error("never"))))).toBe(true);
    for (const thrown of [null, undefined, "text", 5, 5n, { code: 5 }, [1]]) {
      const kept = stored(thrown);
      expect(kept).toBeInstanceOf(Error);
      expect(kept.cause).toEqual(thrown);
    }
  });

  it("takes at most 32 KiB, whatever letters it has, and cuts what is too long", () => {
    for (const letter of ["x", "€", "😀", "\u0001", '"', "\ud800"]) {
      const cause = new Error(letter.repeat(1e5));
      const error = Object.assign(new Error(letter.repeat(1e6), { cause }), {
        body: letter.repeat(1e5),
        code: "E",
      });
      const kept = stored(error);
      expect(kept.message).toMatch(/\.\.\.$/);
      expect(kept.message.length).toBeGreaterThanOrEqual(500);
      expect(kept.message.length).toBeLessThanOrEqual(8_192);
      expect(kept.cause).toBeInstanceOf(Error);
    }
    const crowd = Array.from({ length: 1_000 }, () =>
      Object.assign(new Error("€".repeat(1e4)), { a: "€".repeat(1e4) }),
    );
    expect(stored(new AggregateError(crowd, "crowd"))).toMatchObject({ message: "crowd" });
    const issues = Array.from({ length: 100 }, () => ({ message: "€".repeat(500), path: "p".repeat(200) }));
    const refusal = stored(new errors.PayloadError("refused", "send", { issues, omittedIssues: 0 }));
    expect(refusal).toBeInstanceOf(errors.PayloadError);
    expect((refusal as errors.PayloadError).omittedIssues).toBeGreaterThan(50);
    let chain = new Error("first");
    for (let length = 0; length < 10_000; length++) chain = new Error("next", { cause: chain });
    expect(stored(chain).message).toBe("next");
    const wide = Object.assign(new Error("\u0001".repeat(1e4)), { handler: "h" });
    for (let key = 0; key < 1e3; key++)
      Reflect.set(wide, `${"\u0001".repeat(200)}${key}`, "\u0001".repeat(1e3));
    wide.name = "\u0001".repeat(1e3);
    expect(stored(wide).message).toContain("\u0001");
  });

  it("is told of by its class alone where not even its least has room", () => {
    const issues = Array.from({ length: 10_000 }, () => ({ message: "", path: "" }));
    const kept = stored(new errors.PayloadError("refused", "send", { issues, omittedIssues: 0 }));
    expect(kept.message).toBe("An error (MILLRACE_PAYLOAD) that takes too much to be kept");
  });
});

describe("what the store has that is no error", () => {
  const node = { kind: "error", type: "Error", name: "Error", message: "m", keys: [], values: [] };
  const text = (more: object) => JSON.stringify({ v: 1, thrown: { at: 0 }, nodes: [node], ...more });

  it.each([
    ["", "it is no error envelope"],
    ["null", "it is no error envelope"],
    ["{", "it is no error envelope"],
    ["[".repeat(1e5), "it is no error envelope"],
    [`"${"x".repeat(1e6)}"`, "it is no error envelope"],
    [undefined, "it is no error envelope"],
    [text({ v: 2 }), "its envelope has version 2"],
    [text({ nodes: [null] }), "it is no error envelope"],
    [text({ thrown: { at: 5 } }), "it refers to nothing"],
    [text({ thrown: { at: "0" } }), "it refers to nothing"],
    [text({ nodes: [{ ...node, values: [["bigint", "9".repeat(20_000)]] }] }), "it is no error envelope"],
    [text({ nodes: [{ ...node, name: { toString: 1 } }] }), "it is malformed"],
    [text({ nodes: [{ kind: "copy", value: { a: 1 } }] }), "it is no error envelope"],
    [text({ nodes: [{ kind: "bytes", type: "constructor", bytes: "" }] }), "it is no error envelope"],
    [text({ nodes: [{ kind: "bytes", type: "Float64Array", bytes: "AQ==" }] }), "it is no error envelope"],
    [text({ nodes: [{ kind: "skip-retry", value: { at: 0 } }] }), "it refers to nothing"],
    [text({ nodes: [{ kind: "reschedule", delayMs: -1 }] }), "it is malformed"],
    [text({ nodes: [{ kind: "__proto__" }] }), "it is malformed"],
  ])("%.60s gives an Error that says so: %s", (kept, reason) => {
    const error = fromStoredError(kept as string);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe(
      `The error that the store kept could not be read: ${
        reason.startsWith("its envelope") ? `${reason}, and this side reads version 1` : reason
      }`,
    );
  });

  it("does not become an error of ours whose fields are not what the class says", () => {
    const forged = { ...node, type: "MILLRACE_TASK_TIMEOUT", keys: ["timeoutMs"], values: ["soon"] };
    expect(fromStoredError(text({ nodes: [forged] })).constructor).toBe(Error);
    const polluting = { ...node, keys: ["__proto__", "constructor"], values: [{ at: 1 }, { at: 1 }] };
    const record = { kind: "record", keys: ["polluted"], values: [true] };
    const kept = fromStoredError(text({ nodes: [polluting, record] }));
    expect(Object.getPrototypeOf(kept)).toBe(Error.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("Z3: whatever it is, it gives an Error, and soon", () => {
    const kind = fc.constantFrom(
      ...["error", "record", "map", "set", "list", "date", "bytes", "issues", "text", "copy"],
      ...["skip-retry", "cancel-task", "reschedule", "rate-limited", "__proto__", "toString"],
    );
    const junk = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.record({ at: fc.integer({ min: -1, max: 4 }) }),
      fc.constantFrom(["bigint", "12"], ["number", "NaN"], ["undefined"], "MILLRACE_PAYLOAD", "DOMException"),
    );
    const list = fc.oneof(fc.array(junk, { maxLength: 3 }), junk);
    const anyNode = fc.record(
      {
        ...{
          kind,
          type: junk,
          name: junk,
          message: junk,
          stack: junk,
          cause: junk,
          errors: junk,
          taskId: junk,
        },
        ...{ keys: list, values: list, value: junk, at: junk, bytes: junk, issues: list, delayMs: junk },
      },
      { requiredKeys: ["kind"] },
    );
    const envelope = fc.record({
      v: fc.constantFrom<unknown>(1, 1, 1, 1, 2, "1"),
      thrown: fc.oneof(fc.record({ at: fc.integer({ min: 0, max: 3 }) }), junk),
      nodes: fc.array(fc.oneof(anyNode, junk), { maxLength: 4 }),
    });
    const given = fc.oneof(
      { weight: 4, arbitrary: envelope.map((each) => JSON.stringify(each)) },
      { weight: 1, arbitrary: fc.string() },
    );
    fc.assert(
      fc.property(given, (kept) => {
        expect(fromStoredError(kept)).toBeInstanceOf(Error);
        return !takesLong(() => fromStoredError(kept));
      }),
      { numRuns: runCount(5_000, 100_000) },
    );
  });

  it("Z3: whatever is thrown is stored in at most 32 KiB of JSON, and comes back as an Error", () => {
    const field = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withSparseArray: true, withNullPrototype: true, withBoxedValues: true, withUnicodeString: true },
    } as fc.ObjectConstraints);
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.string(), field, { maxKeys: 4 }),
        field,
        (message, fields, cause) => {
          const error = new Error(message, { cause });
          for (const key of Object.keys(fields))
            Object.defineProperty(error, key, { value: fields[key], enumerable: true, configurable: true });
          for (const thrown of [error, cause]) expect(stored(thrown)).toBeInstanceOf(Error);
        },
      ),
      { numRuns: runCount(1_000, 20_000) },
    );
  });
});
