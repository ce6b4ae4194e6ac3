import { serialize } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import * as errors from "../../src/errors.js";
import * as storeErrors from "../../src/store-errors.js";
import { CATALOGUE_CLASSES } from "../../src/task/error-classes.js";
import { MAX_ENVELOPE_ERRORS, MAX_FIELD_BYTES, MAX_MESSAGE_LENGTH } from "../../src/task/error-envelope.js";
import { toFailure } from "../../src/task/failure.js";
import { fromEnvelope } from "../../src/task/from-envelope.js";
import { cancelTask, findSteering, rateLimited, reschedule, skipRetry } from "../../src/task/steering.js";
import { toEnvelope } from "../../src/task/to-envelope.js";
import * as workerErrors from "../../src/worker-errors.js";
import { runCount } from "../support/run-count.js";

const ORIGIN = "    at worker thread millrace-3";

/** To the other side and out again, through the structured clone algorithm. */
const cross = (thrown: unknown, origin?: string) => fromEnvelope(structuredClone(toEnvelope(thrown)), origin);
const crossError = (thrown: unknown) => {
  const crossed = cross(thrown, ORIGIN);
  if (!(crossed instanceof Error)) expect.unreachable("it is no Error");
  return crossed as Error & Record<string, unknown>;
};
const boom = (): never => {
  throw new Error("hostile");
};

const keysOfPrototypes = () => [Object, Array, Error].map(({ prototype }) => Reflect.ownKeys(prototype));
const keysBefore = keysOfPrototypes();
afterEach(() => expect(keysOfPrototypes()).toEqual(keysBefore));

const issues = { issues: [{ message: "expected a text", path: "payload.to" }], omittedIssues: 3 };
const cause = new RangeError("below");
const ours: readonly errors.MillraceError[] = [
  new errors.InvariantError("a rule"),
  new errors.OptionError("queues.email.share", "refused", { cause }),
  new errors.NotAcceptingError("stopping"),
  new errors.QueueFullError("full", 10),
  new errors.QueueFullError("dropped", 10, "t1"),
  new errors.DuplicateTaskError("t1"),
  new errors.DuplicateTaskError("t1", "key"),
  new errors.TaskCancelledError("cancelled", "t1", { cause: undefined }),
  new errors.TaskTimeoutError("t1", 50),
  new errors.TaskFailedError("failed", "t1", { cause: null }),
  new errors.DeadlineError("late", "t1"),
  new errors.ManagerStoppedError("stopped", "t1"),
  new errors.ResultTimeoutError("t1", 50),
  new errors.ResultExpiredError("gone", "t1"),
  new errors.UnknownHandlerError("emial", "did you mean email"),
  new errors.PayloadError("refused", "email", issues, { cause }),
  new errors.ResultError("refused", "email", issues),
  new errors.AsyncSchemaError("email"),
  new errors.SubscriptionLimitError("too many", 5),
  new errors.MiddlewareError("timing", "called next twice"),
  new errors.PeerMissingError("millrace/otel", "@opentelemetry/api"),
  new workerErrors.WorkerExitError("t1", 3),
  new workerErrors.WorkerExitError("t1", undefined, { cause }),
  new workerErrors.WorkerOutOfMemoryError("t1"),
  new workerErrors.HandlerLoadError("email", "no such export", { cause }),
  new workerErrors.WorkerStartError("ten times", { cause }),
  new storeErrors.BackendMissingError("no backend"),
  new storeErrors.StoreUnreachableError("no answer", { cause }),
  new storeErrors.StoreFullError("no memory", { cause }),
  new storeErrors.StoreRefusedError("no permission", { cause }),
  new storeErrors.LeaseLostError("another has it", "default:1"),
  new storeErrors.CrashLoopError("default:1", 11),
];

describe("errors of our catalogue", () => {
  it.each(ours.map((error) => [error.name, error] as const))(
    "%s comes back as itself, with all it carries",
    (_, error) => {
      const crossed = crossError(error);
      expect(Object.getPrototypeOf(crossed)).toBe(Object.getPrototypeOf(error));
      expect({ ...crossed }).toEqual({ ...error });
      expect([crossed.name, crossed.message]).toEqual([error.name, error.message]);
      expect(crossed.stack).toBe(`${error.stack}\n${ORIGIN}`);
      expect("cause" in crossed).toBe("cause" in error);
      expect(crossed.cause).toEqual(error.cause);
      expect(Object.prototype.toString.call(crossed)).toBe("[object Error]");
    },
  );

  it("are all among those that are tested here, and each is known by its code", () => {
    expect(new Set(ours.map(({ code }) => code))).toEqual(new Set(CATALOGUE_CLASSES.keys()));
    for (const error of ours) expect(CATALOGUE_CLASSES.get(error.code)?.type).toBe(error.constructor);
  });

  it("keep their class however little room there is, and as many issues as there is room for", () => {
    const many = Array.from({ length: 100 }, (_, index) => ({
      message: "x".repeat(500),
      path: `payload[${index}]`,
    }));
    const error = crossError(new errors.PayloadError("refused", "email", { issues: many, omittedIssues: 5 }));
    expect(error).toBeInstanceOf(errors.PayloadError);
    const { issues: kept, omittedIssues } = error as unknown as errors.PayloadError;
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(many.slice(0, kept.length));
    expect(kept.length + omittedIssues).toBe(105);
    expect([Object.isFrozen(kept), Object.isFrozen(kept[0])]).toEqual([true, true]);
    const crowd = Array.from({ length: 60 }, () =>
      Object.assign(new errors.DeadlineError("x".repeat(1e5), "t1"), { a: 1 }),
    );
    const { errors: all } = crossError(new AggregateError(crowd)) as unknown as AggregateError;
    for (const each of all) expect(each).toBeInstanceOf(errors.DeadlineError);
  });

  it("come back as their own class from a class of the user's that extends it, by the user's name", () => {
    class MyOptionError extends errors.OptionError {}
    const crossed = crossError(new MyOptionError("share", "refused"));
    expect(crossed.constructor).toBe(errors.OptionError);
    expect(crossed).toMatchObject({ name: "MyOptionError", option: "share" });
  });

  it("are not what a user's error becomes that has one of our codes", () => {
    const forged = Object.assign(new Error("mine"), { code: "MILLRACE_OPTION", option: "share" });
    const crossed = crossError(forged);
    expect(crossed.constructor).toBe(Error);
    expect(crossed).toMatchObject({ code: "MILLRACE_OPTION", option: "share", name: "Error" });
  });

  it("become a plain Error where a field is not what the class says", () => {
    const broken = Object.assign(new errors.TaskTimeoutError("t1", 5), { timeoutMs: "soon" });
    const crossed = crossError(broken);
    expect(crossed.constructor).toBe(Error);
    expect(crossed).toMatchObject({ name: "TaskTimeoutError", timeoutMs: "soon", taskId: "t1" });
    const { issues: list, ...rest } = new errors.PayloadError("m", "h", issues);
    expect(list).toHaveLength(1);
    const envelope = toEnvelope(new errors.PayloadError("m", "h", issues));
    const forged = structuredClone(envelope) as unknown as { nodes: { value?: unknown }[] };
    for (const node of forged.nodes) if ("value" in node) node.value = [{ message: 1 }];
    expect(fromEnvelope(forged)).toMatchObject({ constructor: Error, handler: rest.handler });
  });
});

describe("errors of the language", () => {
  it.each([TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, Error])("%o", (type) => {
    const crossed = crossError(new type("bad"));
    expect(Object.getPrototypeOf(crossed)).toBe(type.prototype);
    expect(Object.hasOwn(crossed, "name")).toBe(false);
    expect(Object.keys(crossed)).toEqual([]);
  });

  it("come back from another realm as those of this one", () => {
    const crossed = crossError(runInNewContext("Object.assign(new TypeError('bad'), { code: 'E' })"));
    expect(crossed).toBeInstanceOf(TypeError);
    expect(crossed).toMatchObject({ message: "bad", code: "E" });
    const many = crossError(runInNewContext("new AggregateError([new RangeError('one')])"));
    expect(many).toBeInstanceOf(AggregateError);
    expect((many as unknown as AggregateError).errors[0]).toBeInstanceOf(RangeError);
  });

  it("keep the name of a user's class, hidden, and the class of the language that it extends", () => {
    class PaymentError extends TypeError {
      override name = "PaymentError";
      get code() {
        return "E_PAYMENT";
      }
    }
    const crossed = crossError(new PaymentError("declined"));
    expect(crossed).toBeInstanceOf(TypeError);
    expect(Object.keys(crossed)).toEqual(["code"]);
    expect(crossed).toMatchObject({ name: "PaymentError", code: "E_PAYMENT" });
  });

  it("keep `cause` only where there is one, be it undefined", () => {
    expect("cause" in crossError(new Error("none"))).toBe(false);
    expect(
      Object.getOwnPropertyDescriptor(crossError(new Error("x", { cause: undefined })), "cause"),
    ).toEqual({
      value: undefined,
      ...{ enumerable: false, writable: true, configurable: true },
    });
    expect(crossError(new Error("x", { cause: { status: 500 } })).cause).toEqual({ status: 500 });
  });

  it("restore cycles and identities: through causes, errors, fields and containers", () => {
    const inner = new TypeError("inner");
    const outer = Object.assign(new AggregateError([inner, inner], "outer", { cause: inner }), {
      seen: [inner],
    });
    inner.cause = outer;
    const shared = { at: new Map<unknown, unknown>([[inner, outer]]) };
    Object.assign(inner, { shared, again: shared, self: inner });
    const crossed = crossError(outer) as unknown as AggregateError & { seen: unknown[] };
    const other = crossed.errors[0] as Error & Record<string, unknown>;
    expect(crossed.errors).toEqual([other, other]);
    for (const same of [crossed.errors[1], crossed.cause, crossed.seen[0], other["self"]])
      expect(same).toBe(other);
    expect(other.cause).toBe(crossed);
    expect(other["shared"]).toBe(other["again"]);
    expect((other["shared"] as typeof shared).at.get(other)).toBe(crossed);
  });

  it("keep the errors of an AggregateError, hidden, whatever else is among them", () => {
    const crossed = crossError(
      new AggregateError([new RangeError("one"), "two", null, { three: 3 }], "some"),
    );
    expect(crossed).toBeInstanceOf(AggregateError);
    expect((crossed as unknown as AggregateError).errors).toEqual([
      new RangeError("one"),
      "two",
      null,
      { three: 3 },
    ]);
    expect(Object.keys(crossed)).toEqual([]);
    expect(crossError(Object.assign(new Error("x"), { errors: ["a field"] }))["errors"]).toEqual(["a field"]);
  });

  it("DOMExceptions come back as such, with name, message, code and cause", () => {
    const abort = crossError(Object.assign(new DOMException("stop", "AbortError"), { detail: 1 }));
    expect(abort).toBeInstanceOf(DOMException);
    expect(abort).toMatchObject({ name: "AbortError", message: "stop", code: 20, detail: 1 });
    expect(abort.stack).toContain(ORIGIN);
    const refused = crossError(new Error("x", { cause: new DOMException("no", "DataCloneError") })).cause;
    expect(refused).toBeInstanceOf(DOMException);
    expect(refused).toMatchObject({ name: "DataCloneError", code: 25 });
  });

  it("keep a hidden taskId hidden, and a user's own as it is", () => {
    const failure = crossError(toFailure(new Error("x"), "t7"));
    expect(Object.getOwnPropertyDescriptor(failure, "taskId")).toMatchObject({
      value: "t7",
      enumerable: false,
    });
    expect(Object.keys(crossError(Object.assign(new Error("x"), { taskId: 7 })))).toEqual(["taskId"]);
  });
});

describe("steering", () => {
  it("comes back as steering, by itself and as a cause", () => {
    const error = new RangeError("why");
    for (const [steering, fields] of [
      [reschedule({ delayMs: 5 }), { delayMs: 5 }],
      [rateLimited({ retryAfterMs: 7, scope: "all" }), { retryAfterMs: 7, scope: "all" }],
      [skipRetry(error), { cause: error }],
      [skipRetry("text"), { cause: "text" }],
      [cancelTask({ any: "thing" }), { reason: { any: "thing" } }],
    ] as const) {
      for (const thrown of [
        steering,
        new Error("outer", { cause: steering }),
        { cause: { cause: steering } },
      ]) {
        const found = findSteering(cross(thrown));
        expect(found).toMatchObject({ steering: steering.steering, ...fields });
        expect(Object.isFrozen(found)).toBe(true);
        expect(Object.getPrototypeOf(found)).toBe(Object.getPrototypeOf(steering));
      }
    }
  });

  it("may be in a cycle with what it carries, and among the errors of a crowd", () => {
    const error = new Error("round");
    const steering = skipRetry(error);
    error.cause = steering;
    const found = findSteering(cross(steering));
    expect((found as Error).cause).toMatchObject({ message: "round", cause: found });
    const crowd = new AggregateError(Array.from({ length: 1_000 }, boxed), "many", { cause: reschedule() });
    expect(findSteering(cross(crowd))).toMatchObject({ steering: "reschedule" });
    expect(findSteering(cross(skipRetry(skipRetry(reschedule()))))).toMatchObject({ steering: "skip-retry" });
  });

  it("is not what only looks like it becomes", () => {
    const fake = Object.assign(new Error("x"), { steering: "reschedule", delayMs: 5 });
    expect(findSteering(cross(fake))).toBeUndefined();
    expect(findSteering(cross(new Proxy(reschedule(), {})))).toBeUndefined();
  });
});

function boxed(_: unknown, index: number): Error {
  return new Error(`number ${index}`);
}

describe("values", () => {
  it("that are no errors come back as structured clone takes them", () => {
    const date = new Date(5);
    const map = new Map<unknown, unknown>([[{ a: 1 }, new Set([1, "two"])]]);
    const values = [
      null,
      undefined,
      "text",
      5,
      Number.NaN,
      -0,
      10n,
      true,
      { a: [1, { b: null }] },
      date,
      /x+/g,
      map,
    ];
    for (const value of [...values, new Uint16Array([1, 2]), new ArrayBuffer(4), [undefined, 1]])
      expect(cross(value)).toEqual(value);
    const { body } = cross({ body: Buffer.from("some bytes") }) as { body: Uint8Array };
    expect(new TextDecoder().decode(body)).toBe("some bytes");
    expect(body.buffer.byteLength).toBe(10);
  });

  it("that cannot be cloned become a short text, where they are", () => {
    const iterator = new Map().keys();
    const given = {
      onDone: boom,
      kind: Symbol("s"),
      promise: Promise.resolve(),
      list: [new WeakMap(), 1],
      iterator,
    };
    const told = { onDone: "[function]", kind: "[symbol]", promise: "[Promise]", list: ["[WeakMap]", 1] };
    expect(cross(given)).toEqual({ ...told, iterator: "[Map Iterator]" });
    expect({ ...crossError(Object.assign(new Error("x"), given)) }).toEqual({
      ...told,
      iterator: "[Map Iterator]",
    });
    expect([boom, Symbol("s"), Promise.resolve()].map((value) => cross(value))).toEqual([
      ...["[function]", "[symbol]", "[Promise]"],
    ]);
    expect(cross({ memory: new SharedArrayBuffer(4) })).toEqual({ memory: "[SharedArrayBuffer]" });
  });

  it("of classes come back with their own members, as structured clone has it", () => {
    class Money {
      amount = 5;
      #secret = 1;
      reveal = undefined;
      method() {
        return this.#secret;
      }
    }
    expect(cross(new Money())).toEqual({ amount: 5, reveal: undefined });
  });

  it("Z4: have members by any name, and nothing is polluted", () => {
    const names =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":1},"toString":2,"then":3,"valueOf":4}';
    for (const crossed of [
      cross(JSON.parse(names)),
      crossError(defineAll(new Error("x"), JSON.parse(names))),
    ]) {
      expect(Object.keys(crossed as object)).toEqual([
        "__proto__",
        "constructor",
        "toString",
        "then",
        "valueOf",
      ]);
      expect(Object.getOwnPropertyDescriptor(crossed, "__proto__")?.value).toEqual({ polluted: 1 });
      expect((crossed as { polluted?: 1 }).polluted).toBeUndefined();
    }
    const twice = Object.assign(new Error("x"), { name: "N", message: "M", stack: "S", cause: "C" });
    expect(crossError(twice)).toMatchObject({ name: "N", message: "M", stack: `S\n${ORIGIN}`, cause: "C" });
    expect(Object.keys(crossError(twice))).toEqual([]);
  });
});

function defineAll<E extends Error>(error: E, fields: object): E {
  return Object.defineProperties(error, Object.getOwnPropertyDescriptors(fields)) as E;
}

describe("the bounds of an envelope", () => {
  it("cut a message, never within a character, and keep the frames of its stack", () => {
    for (const text of ["x".repeat(1e6), "😀".repeat(1e5), `x${"😀".repeat(1e5)}`]) {
      const crossed = crossError(new TypeError(text));
      expect(crossed.message.length).toBeLessThanOrEqual(MAX_MESSAGE_LENGTH);
      expect(crossed.message.length).toBeGreaterThan(MAX_MESSAGE_LENGTH - 2);
      const kept = crossed.message.slice(0, -3);
      expect(`${kept}...`).toBe(crossed.message);
      expect(text.startsWith(kept)).toBe(true);
      expect(kept).not.toMatch(/[\ud800-\udbff]$/);
      expect(crossed.stack).toContain("error-envelope.test.ts");
    }
    const exact = "x".repeat(MAX_MESSAGE_LENGTH);
    expect(crossError(new Error(exact)).message).toBe(exact);
  });

  it("keep the first 64 errors and say how many more there were", () => {
    const { errors: kept } = crossError(
      new AggregateError(Array.from({ length: 1_000 }, boxed)),
    ) as unknown as AggregateError;
    expect(kept).toHaveLength(MAX_ENVELOPE_ERRORS);
    expect(kept.at(-1)).toBe("[937 more errors left out]");
    expect(kept[62]).toMatchObject({ message: "number 62" });
    let chain = new Error("last");
    for (let count = 0; count < 99; count++) chain = new Error(`link ${count}`, { cause: chain });
    expect(lastCause(cross(chain))).toEqual([64, "[36 more errors left out]"]);
    const endless = (): Error => Object.defineProperty(new Error("x"), "cause", { get: endless });
    expect(lastCause(cross(endless()))).toEqual([64, "[more than 1000 errors left out]"]);
  });

  it("keep 64 fields of an error and say how many more there were", () => {
    const error = new Error("wide") as Error & Record<string, number>;
    for (let key = 0; key < 1_000; key++) error[`k${key}`] = key;
    error["x".repeat(300)] = 1;
    const crossed = crossError(error);
    expect(Object.keys(crossed)).toHaveLength(65);
    expect(crossed).toMatchObject({ k0: 0, k63: 63, omittedFields: 937 });
  });

  it("cut a text and leave out a value that takes more than a field may, with the errors in it", () => {
    const inner = new Error("inside");
    const crossed = crossError(
      Object.assign(new Error("x"), {
        text: "x".repeat(1e6),
        body: Buffer.alloc(1e8),
        rows: [inner, new Array(1e6).fill(7)],
        wide: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index])),
        map: new Map(Array.from({ length: 10_000 }, (_, index) => [index, index])),
        set: new Set(Array.from({ length: 10_000 }, (_, index) => index)),
        after: { inner },
      }),
    );
    expect((crossed["text"] as string).length).toBe(MAX_FIELD_BYTES);
    for (const key of ["body", "rows", "wide", "map", "set"])
      expect(crossed[key]).toBe(`[takes more than ${MAX_FIELD_BYTES} bytes]`);
    expect(crossed["after"]).toEqual({ inner });
    expect(cross(new Array(4e9))).toBe(`[takes more than ${MAX_FIELD_BYTES} bytes]`);
  });

  it("hold for the envelope as a whole, and each error still says something", () => {
    const heavy = (_: unknown, index: number) => {
      const error = new Error(`${index}: ${"x".repeat(1e5)}`);
      for (let key = 0; key < 1_000; key++) Object.assign(error, { [`k${key}`]: "x".repeat(1e5) });
      return error;
    };
    const thrown = new AggregateError(Array.from({ length: 100 }, heavy), "heavy");
    expect(serialize(toEnvelope(thrown)).byteLength).toBeLessThan(400_000);
    const { errors: kept } = cross(thrown) as AggregateError;
    for (const [index, each] of kept.slice(0, -1).entries()) expect(each.message).toMatch(`${index}: xxx`);
    expect(Object.keys(kept[0])).toContain("omittedFields");
  });

  it("Z6: do not hang, and take no depth as too deep, of a million fields, causes or levels", () => {
    const wide: Error & Record<string, unknown> = Object.assign(new Error("x"));
    for (let index = 0; index < 1e6; index++) wide[`k${index}`] = 1;
    expect(crossError(wide)).toMatchObject({ omittedFields: 1e6 - 64 });
    let deep: unknown = 1;
    for (let level = 0; level < 1e6; level++) deep = [deep];
    expect(cross(deep)).toEqual(expect.anything());
    let levels = 0;
    let nested: unknown = 1;
    for (let level = 0; level < 500; level++) nested = { nested };
    for (let at = cross(nested); typeof at === "object"; at = (at as { nested: unknown }).nested) levels++;
    expect(levels).toBe(500);
  });
});

function lastCause(thrown: unknown): [number, unknown] {
  let count = 0;
  let link = thrown;
  for (; link instanceof Error; link = link.cause) count++;
  return [count, link];
}

describe("toEnvelope", () => {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const everyTrap = new Proxy({}, { get: () => boom });
  const hostile: Readonly<Record<string, () => unknown>> = {
    "a revoked proxy": () => revoked,
    "a proxy whose traps throw": () => new Proxy({}, new Proxy({}, { get: boom })),
    "a proxy of an Error whose traps throw": () => new Proxy(new Error("x"), everyTrap),
    "an Error whose getters throw": () => {
      const members = ["stack", "name", "message", "cause", "code", "taskId", "steering", "field"];
      return Object.defineProperties(
        new Error("x"),
        Object.fromEntries(members.map((key) => [key, { get: boom, enumerable: true }])),
      );
    },
    "an AggregateError whose errors throw": () =>
      Object.defineProperty(new AggregateError([]), "errors", { get: boom }),
    "an AggregateError without a list": () => Object.assign(new AggregateError([]), { errors: 5 }),
    "one of ours whose code throws": () =>
      Object.defineProperty(new errors.DeadlineError("x", "t"), "code", { get: boom }),
    "one of ours without its issues": () =>
      Object.assign(new errors.PayloadError("x", "h", issues), { issues: 5, omittedIssues: "x" }),
    "a frozen Error": () => Object.freeze(new Error("x")),
    "an Error that is only made from the prototype": () => Object.create(TypeError.prototype),
    "an Error whose texts are none": () =>
      Object.assign(new Error("x"), { name: 5, message: { a: 1 }, stack: () => 1 }),
    "an Error whose class throws": () => Object.defineProperty(new Error("x"), "constructor", { get: boom }),
    "an object whose tag throws": () => ({ at: Object.create({}, { [Symbol.toStringTag]: { get: boom } }) }),
    "a bigint of a million digits": () => ({ large: 1n << 4_000_000n }),
    "an object with a hostile then": () => ({ then: boom }),
    "an array whose length lies": () =>
      new Proxy([], { get: (target, key) => (key === "length" ? 1e15 : Reflect.get(target, key)) }),
    "a typed array whose species is hostile": () =>
      Object.defineProperty(new Uint8Array(4), "constructor", { get: boom }),
  };

  it.each(Object.keys(hostile))("never throws, and gives what can be cloned, for %s", (name) => {
    for (const value of [
      hostile[name]?.(),
      { in: [hostile[name]?.()] },
      new Error("x", { cause: hostile[name]?.() }),
    ]) {
      const crossed = cross(value, ORIGIN);
      expect(() => structuredClone(toEnvelope(crossed))).not.toThrow();
      expect(String(typeof crossed)).toMatch(/object|string/);
    }
  });

  it("reads what can be read of a broken Error", () => {
    const broken = Object.defineProperty(new RangeError("kept"), "field", { enumerable: true, get: boom });
    expect(crossError(broken)).toMatchObject({ message: "kept", field: "[cannot be read]" });
    expect(crossError(hostile["an Error whose texts are none"]?.())).toMatchObject({
      message: "[object]",
      name: "Error",
    });
    const made = crossError(Object.create(TypeError.prototype));
    expect(made).toBeInstanceOf(TypeError);
    expect(made.stack).toBe(`TypeError: \n${ORIGIN}`);
  });

  it("gives what can be cloned and read again for whatever fast-check can make, as it was", () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
      ...{ withBoxedValues: true, withNullPrototype: false, withObjectString: true },
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(cross(value)).toEqual(structuredClone(value));
        expect(crossError(new Error("x", { cause: value })).cause).toEqual(structuredClone(value));
      }),
    );
  });
});

describe("fromEnvelope", () => {
  it("says so when it is given no envelope, or one of another version", () => {
    for (const junk of [
      null,
      undefined,
      5,
      "text",
      {},
      [],
      { v: 1 },
      { v: "1", nodes: [] },
      boom,
      { nodes: [] },
    ])
      expect(fromEnvelope(junk, ORIGIN)).toMatchObject({
        message: expect.stringContaining("no error envelope"),
      });
    const newer = fromEnvelope({ ...toEnvelope(new Error("x")), v: 2 }, ORIGIN) as Error;
    expect(newer.message).toMatch("has version 2, and this side reads version 1");
    expect(newer.stack?.endsWith(`\n${ORIGIN}`)).toBe(true);
  });

  it("says so when an envelope refers to what is not there, or to steering that holds itself", () => {
    for (const [thrown, nodes] of [
      [{ at: 0 }, []],
      [{ at: "length" }, [1]],
      [{ at: -1 }, []],
      [{}, []],
      [1, [null]],
      [1, [{ kind: "error", type: "Error", name: "x", message: "y", keys: [], values: 5 }]],
      [1, [{ kind: "unknown" }]],
      [1, [{ kind: "reschedule", delayMs: "soon" }]],
      [1, [{ kind: "rate-limited", retryAfterMs: 5, scope: "world" }]],
      [{ at: 0 }, [{ kind: "skip-retry", value: { at: 0 } }]],
    ])
      expect(fromEnvelope({ v: 1, thrown, nodes })).toMatchObject({
        message: expect.stringMatching(/^What the other thread threw could not be read: it /),
      });
  });

  it("never throws and pollutes nothing, whatever it is given", () => {
    const place = fc.record({ at: fc.oneof(fc.nat(4), fc.constantFrom("__proto__", -1, 0.5)) });
    const key = fc.constantFrom("__proto__", "constructor", "prototype", "then", "stack", "cause", "a");
    const encoded = fc.oneof(place, fc.anything(), key);
    const list = fc.oneof(fc.array(encoded, { maxLength: 4 }), fc.anything());
    const type = fc.constantFrom(
      "Error",
      "DOMException",
      "MILLRACE_PAYLOAD",
      "MILLRACE_DEADLINE",
      "__proto__",
      5,
    );
    const texts = { name: encoded, message: encoded, stack: encoded, taskId: encoded };
    const node = fc.oneof(
      fc.record({
        kind: fc.constant("error"),
        type,
        keys: fc.array(key),
        values: list,
        ...texts,
        cause: encoded,
        errors: encoded,
      }),
      fc.record({ kind: fc.constantFrom("list", "set", "record", "map"), keys: list, values: list }),
      fc.record({
        kind: fc.constantFrom("skip-retry", "cancel-task", "copy", "constructor"),
        value: encoded,
      }),
      fc.anything(),
    );
    const envelope = fc.record({
      v: fc.constant(1),
      thrown: encoded,
      nodes: fc.array(node, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.oneof(envelope, fc.anything()), (given) => {
        fromEnvelope(given, ORIGIN);
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      }),
      { numRuns: runCount(1_500, 50_000) },
    );
    for (const junk of [new Proxy({}, { get: boom }), { v: 1, nodes: new Proxy([], { get: boom }) }])
      expect(fromEnvelope(junk)).toBeInstanceOf(Error);
  });
});

describe("any error", () => {
  /** How an error is put together; causes and parts are numbers of others, so that there are cycles. */
  const plan = fc.record({
    make: fc.constantFrom<(message: string) => Error>(
      (message) => new Error(message),
      (message) => new TypeError(message),
      (message) => new AggregateError([], message),
      (message) => new DOMException(message, "AbortError"),
      (message) => new errors.TaskTimeoutError("t1", message.length),
      (message) => new errors.OptionError("share", message),
      (message) => Object.assign(new RangeError(message), { name: "Custom" }),
    ),
    message: fc.string({ unit: "binary" }),
    cause: fc.option(fc.nat(), { nil: undefined }),
    parts: fc.array(fc.nat(), { maxLength: 3 }),
    field: fc.option(fc.nat(), { nil: undefined }),
    fields: fc.dictionary(
      fc.string({ minLength: 1 }).map((key) => `_${key}`),
      fc.jsonValue(),
      { maxKeys: 4 },
    ),
  });

  it("comes back with its class, name, message, fields, causes, parts and identities", () => {
    fc.assert(
      fc.property(fc.array(plan, { minLength: 1, maxLength: 8 }), (plans) => {
        const all = plans.map(({ make, message, fields }) => Object.assign(make(message), fields));
        const pick = (index: number) => all[index % all.length];
        for (const [index, { cause: below, parts, field }] of plans.entries()) {
          const error = all[index] as Error;
          if (below !== undefined) Object.defineProperty(error, "cause", { value: pick(below) });
          if (error instanceof AggregateError) error.errors = parts.map(pick);
          if (field !== undefined) Object.assign(error, { field: [pick(field)] });
        }
        compare(all[0] as Error, cross(all[0]) as Error, new Map());
      }),
      { numRuns: runCount(500, 20_000) },
    );
  });
});

/** Two graphs of errors are the same when they can be walked over together. */
function compare(before: unknown, after: unknown, known: Map<unknown, unknown>): void {
  if (!(before instanceof Error) || known.has(before)) {
    expect(after).toEqual(known.get(before) ?? before);
    if (known.has(before)) expect(after).toBe(known.get(before));
    return;
  }
  known.set(before, after);
  const crossed = after as Error & Record<string, unknown>;
  expect(Object.getPrototypeOf(crossed)).toBe(Object.getPrototypeOf(before));
  expect([crossed.name, crossed.message, crossed.stack]).toEqual([before.name, before.message, before.stack]);
  expect(Object.keys(crossed).sort()).toEqual(
    Object.keys(before)
      .filter((key) => key !== "name")
      .sort(),
  );
  expect("cause" in crossed).toBe("cause" in before);
  if ("cause" in before) compare(before.cause, crossed.cause, known);
  if (before instanceof AggregateError)
    for (const [index, part] of before.errors.entries())
      compare(part, (after as AggregateError).errors[index], known);
  for (const [key, value] of Object.entries(before)) {
    if (key === "name") continue;
    if (key === "field") compare((value as unknown[])[0], (crossed["field"] as unknown[])[0], known);
    else expect(crossed[key]).toEqual(value);
  }
}
