import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, it } from "vitest";
import { DeadlineError, PayloadError } from "../../src/errors.js";
import { checkClone } from "../../src/task/clone-check.js";
import { fromEnvelope } from "../../src/task/from-envelope.js";
import { findSteering, skipRetry } from "../../src/task/steering.js";
import { toEnvelope } from "../../src/task/to-envelope.js";

const { port1, port2 } = new MessageChannel();
afterEach(() => port2.removeAllListeners());

/** Over a real channel, as between two threads. */
async function cross(thrown: unknown): Promise<unknown> {
  const arrived = once(port2, "message");
  port1.postMessage(toEnvelope(thrown));
  return fromEnvelope((await arrived)[0], "    at worker thread millrace-3");
}

it("carries errors with all they hold through a real channel", async () => {
  const deadline = new DeadlineError("late", "t1", { cause: new DOMException("stop", "AbortError") });
  const list = { issues: [{ message: "no", path: "payload.a" }], omittedIssues: 0 };
  const thrown = Object.assign(
    new AggregateError([deadline, new PayloadError("no", "email", list)], "both"),
    {
      code: "E_BOTH",
      seen: new Map([["first", deadline]]),
    },
  );
  deadline.cause = { thrown };
  const crossed = (await cross(thrown)) as typeof thrown;
  const [first, second] = crossed.errors;
  expect(crossed).toMatchObject({ code: "E_BOTH", message: "both" });
  expect(first).toBeInstanceOf(DeadlineError);
  expect(first.cause.thrown).toBe(crossed);
  expect(crossed.seen.get("first")).toBe(first);
  expect(second).toMatchObject({ constructor: PayloadError, ...list });
  expect(first.stack).toMatch(/error-envelope-channel\.test\.ts[\s\S]*\n {4}at worker thread millrace-3$/);
});

it("carries steering, values and what nothing else can through a real channel", async () => {
  expect(findSteering(await cross(new Error("x", { cause: skipRetry("why") })))).toMatchObject({
    cause: "why",
  });
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
  revoke();
  for (const thrown of [proxy, new Proxy({ a: 1 }, {}), () => 1, port1, new Error("x", { cause: port1 })])
    expect(["object", "string"]).toContain(typeof (await cross(thrown)));
  expect(await cross({ status: 500, at: new Date(5) })).toEqual({ status: 500, at: new Date(5) });
});

it("delivers what checkClone lets through, as it was", async () => {
  const good = { rows: [new Map([["a", new Set([1])]])], error: new TypeError("x", { cause: { a: 1 } }) };
  expect(checkClone(good, 10_000, "result")).toHaveProperty("bytes");
  const arrived = once(port2, "message");
  port1.postMessage(good);
  expect((await arrived)[0]).toEqual(good);
  expect(checkClone({ rows: [() => 1] }, 10_000, "result")).toMatchObject({ path: "result.rows[0]" });
  expect(() => port1.postMessage({ rows: [() => 1] })).toThrow("could not be cloned");
});

it("leaves nothing open", async () => {
  const closed = once(port2, "close");
  port1.close();
  await closed;
  expect(port2.listenerCount("message")).toBe(0);
});
