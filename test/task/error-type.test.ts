import { describe, expect, test } from "vitest";
import { TaskTimeoutError } from "../../src/index.js";
import { toErrorType } from "../../src/task/error-type.js";

const SECRET = "sk_live_4242";

class PaymentError extends Error {}

describe("error.type", () => {
  test("is the code of an error of Millrace, and the class of any other", () => {
    expect(toErrorType(new TaskTimeoutError("t-1", 5))).toBe("MILLRACE_TASK_TIMEOUT");
    expect(toErrorType(new PaymentError(SECRET))).toBe("PaymentError");
    expect(toErrorType(new TypeError(SECRET, { cause: SECRET }))).toBe("TypeError");
    expect(toErrorType(new DOMException(SECRET, SECRET))).toBe("DOMException");
  });

  test("is never what an error says of itself: its name may be data", () => {
    const named = Object.assign(new PaymentError("broken"), { name: SECRET, code: SECRET });
    expect(toErrorType(named)).toBe("PaymentError");
    expect(toErrorType(Object.assign(new TaskTimeoutError("t-1", 5), { code: SECRET }))).toBe("_OTHER");
    const parsed = Object.assign(new PaymentError("broken"), { constructor: { name: SECRET } });
    expect(toErrorType(parsed)).toBe("PaymentError");
  });

  test("is the kind of value where that is no error", () => {
    expect([SECRET, 1, undefined, null, {}].map(toErrorType)).toEqual([
      ...["string", "number", "undefined", "object", "object"],
    ]);
  });

  test("is _OTHER where a class has no name, or one that is none, or throws when it is looked at", () => {
    const nameless = new (class extends Error {})("broken");
    Object.defineProperty(nameless.constructor, "name", { value: "" });
    const spaced = class extends Error {};
    Object.defineProperty(spaced, "name", { value: `secret ${SECRET}` });
    const [lost, hostile] = [new Error("broken"), new Error("broken")];
    Object.defineProperty(lost, "constructor", { value: undefined });
    Object.defineProperty(hostile, "constructor", {
      get: () => {
        throw new Error(SECRET);
      },
    });
    const throwing = new Proxy(hostile, {
      getPrototypeOf: () => {
        throw new Error(SECRET);
      },
    });
    const types = [nameless, new spaced("broken"), throwing].map(toErrorType);
    expect(types).toEqual(Array(3).fill("_OTHER"));
    expect([lost, hostile].map(toErrorType)).toEqual(["Error", "Error"]); // what they say themselves is not asked
  });
});
