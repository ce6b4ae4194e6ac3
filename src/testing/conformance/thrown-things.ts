import assert from "node:assert/strict";
import { TaskTimeoutError } from "../../errors.js";

/** Something that a handler may throw. */
interface ThrownThing {
  make(): unknown;
  /** Throws where what has come out is not what was thrown. */
  check(thrown: unknown): void;
}

/** What is the same object wherever this module is the same. */
export const kept = { value: { kept: true }, error: new Error("kept") };

/** What handlers throw, by its name in a sentence: what an executor has to carry, or at least to bear. */
export const thrownThings: Readonly<Record<string, ThrownThing>> = {
  "an Error with a code, fields and a cause": {
    make: () =>
      Object.assign(new Error("broken", { cause: new TypeError("deeper") }), {
        ...{ code: "E_BROKEN", status: 503, details: { retryable: false, hosts: ["a", "b"] } },
      }),
    check(thrown) {
      checkError(thrown, Error, "Error", "broken");
      const { code, status, details } = thrown as Error & Readonly<Record<string, unknown>>;
      assert.deepEqual([code, status], ["E_BROKEN", 503]);
      assert.deepEqual(details, { retryable: false, hosts: ["a", "b"] });
      checkError((thrown as Error).cause, TypeError, "TypeError", "deeper");
    },
  },
  "an error of Millrace": {
    make: () => new TaskTimeoutError("other", 30),
    check(thrown) {
      assert(thrown instanceof TaskTimeoutError, "it is not an instance of its class any more");
      assert.deepEqual(
        [thrown.code, thrown.taskId, thrown.timeoutMs],
        ["MILLRACE_TASK_TIMEOUT", "other", 30],
      );
    },
  },
  null: { make: () => null, check: (thrown) => assert.equal(thrown, null) },
  undefined: { make: () => undefined, check: (thrown) => assert.equal(thrown, undefined) },
  "a text": { make: () => "no", check: (thrown) => assert.equal(thrown, "no") },
  "a plain object": {
    make: () => ({ status: 404 }),
    check: (thrown) => assert.deepEqual(thrown, { status: 404 }),
  },
  "a frozen Error": {
    make: () => Object.freeze(new RangeError("too far")),
    check: (thrown) => checkError(thrown, RangeError, "RangeError", "too far"),
  },
  "a DOMException": {
    make: () => new DOMException("full", "QuotaExceededError"),
    check: (thrown) => checkError(thrown, DOMException, "QuotaExceededError", "full"),
  },
  "an AggregateError": {
    make: () => new AggregateError([new Error("one"), "two"], "both"),
    check(thrown) {
      checkError(thrown, AggregateError, "AggregateError", "both");
      const [first, second] = (thrown as AggregateError).errors as readonly unknown[];
      checkError(first, Error, "Error", "one");
      assert.equal(second, "two");
    },
  },
  "an Error that is its own cause": {
    make() {
      const error = new Error("round");
      error.cause = error;
      return error;
    },
    check(thrown) {
      checkError(thrown, Error, "Error", "round");
      assert.equal((thrown as Error).cause, thrown);
    },
  },
  "an Error that cannot be read": {
    make: () =>
      Object.defineProperty(new Error("hidden"), "message", {
        get() {
          throw new Error("not for you");
        },
      }),
    check: () => {},
  },
  "a proxy that answers to nothing": {
    make() {
      const refuse = () => {
        throw new Error("not for you");
      };
      return new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
    },
    check: () => {},
  },
};

function checkError(
  thrown: unknown,
  type: abstract new (...given: never) => object,
  name: string,
  message: string,
): void {
  assert(thrown instanceof type, `it is no ${type.name} any more`);
  const { name: foundName, message: foundMessage } = thrown as Error;
  assert.deepEqual([foundName, foundMessage], [name, message]);
}
