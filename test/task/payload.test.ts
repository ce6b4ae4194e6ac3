import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { AsyncSchemaError, PayloadError, ResultError, ValueError } from "../../src/errors.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { json } from "../../src/task/json.js";
import { checkPayload, checkResult, startPayloadCheck } from "../../src/task/payload.js";
import type { Schema } from "../../src/task/schema.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";

const define = (payload: unknown, more: object = {}) => readDefinition("sendEmail", { payload, ...more });
const mail = define(z.object({ to: z.array(z.object({ at: z.string() })).max(200) }));
const answering = (validate: (value: unknown) => unknown): Schema =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as Schema;
const refused = (definition: ReturnType<typeof define>, payload: unknown) =>
  thrownBy(() => checkPayload(definition, payload)) as PayloadError;

describe("checkPayload", () => {
  it("gives what comes out of the schema", () => {
    expect(checkPayload(mail, { to: [{ at: "a" }], more: 5 })).toEqual({ to: [{ at: "a" }] });
    expect(checkPayload(define(z.string().transform((text) => text.length)), "abc")).toBe(3);
    const payload = { to: "a" };
    expect(checkPayload(define(json<{ to: string }>()), payload)).toBe(payload);
  });

  it("refuses with what is wrong and where, and names the handler", () => {
    const error = refused(mail, { to: [{ at: "a" }, { at: 5 }] });
    expect(error).toBeInstanceOf(PayloadError);
    expect(error).toBeInstanceOf(ValueError);
    expect(error).toMatchObject({ code: "MILLRACE_PAYLOAD", handler: "sendEmail", omittedIssues: 0 });
    expect(error.issues).toEqual([{ path: "payload.to[1].at", message: expect.stringContaining("string") }]);
    expect(error.message).toMatch(/^The payload for handler "sendEmail" was refused: payload\.to\[1\]\.at: /);
    expect(error).not.toHaveProperty("cause");
    expect(refused(define(json<{ to: string[] }>()), { to: [{ at: new Date(0) }] }).message).toContain(
      "payload.to[0].at: JSON cannot hold a Date",
    );
  });

  it("tells the first three issues and counts the others, in at most 8 KiB", () => {
    const error = refused(mail, { to: Array(150).fill({ at: 5 }) });
    expect([error.issues.length, error.omittedIssues]).toEqual([100, 50]);
    expect(error.message.match(/payload\.to\[\d+\]\.at: /g)).toHaveLength(3);
    expect(error.message).toMatch(/; and 147 more$/);
    const long = { message: "€".repeat(1e6), path: ["€".repeat(1e6)] };
    const wordy = refused(define(answering(() => ({ issues: Array(1_000).fill(long) }))), 1);
    expect(Buffer.byteLength(wordy.message)).toBeLessThanOrEqual(8_192);
  });

  it("takes a schema that throws or answers with junk for a refusal, and keeps the cause", () => {
    const cause = new Error("hostile");
    const throwing = answering(() => {
      throw cause;
    });
    expect(refused(define(throwing), 1)).toBeInstanceOf(PayloadError);
    expect(refused(define(throwing), 1).cause).toBe(cause);
    expect(refused(define(answering(() => "junk")), 1).cause).toMatchObject({ cause: "junk" });
  });

  it("refuses an asynchronous schema, whose promise troubles nobody afterwards", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    const rejecting = define(answering(() => Promise.reject(new Error("later"))));
    for (const definition of [define(z.string().refine(async () => true)), rejecting]) {
      const error = thrownBy(() => checkPayload(definition, "a"));
      expect(error).toBeInstanceOf(AsyncSchemaError);
      expect(error).toMatchObject({ code: "MILLRACE_ASYNC_SCHEMA", handler: "sendEmail" });
      expect((error as Error).message).toContain("enqueueAsync");
    }
    // Node reports what nobody handles when the microtasks of a turn are done.
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });

  it("V1: runs no code of a payload: its toJSON, then and valueOf are never called", () => {
    const trap = () => expect.unreachable("code of the payload was run");
    const payload = { to: "a", toJSON: trap, then: trap, valueOf: trap, [Symbol.toPrimitive]: trap };
    expect(refused(define(json<{ to: string }>()), payload)).toBeInstanceOf(PayloadError);
    expect(checkPayload(define(answering((value) => ({ value }))), payload)).toBe(payload);
  });
});

describe("the bound of a payload", () => {
  const seen: unknown[] = [];
  const bounded = (maxPayloadBytes: number) =>
    define(
      answering((value) => {
        seen.push(value);
        return { value };
      }),
      { maxPayloadBytes },
    );

  it("Z7: takes limit - 1 and limit bytes of UTF-8 and refuses limit + 1, before the schema sees it", () => {
    for (const letter of ["x", "ä", "€", "😀", "\u0001"]) {
      const payload = { to: letter.repeat(50) };
      const bytes = Buffer.byteLength(JSON.stringify(payload));
      for (const limit of [bytes + 1, bytes]) expect(checkPayload(bounded(limit), payload)).toBe(payload);
      seen.length = 0;
      const error = refused(bounded(bytes - 1), payload);
      expect(error).toBeInstanceOf(PayloadError);
      expect(error.message).toContain(`payload: takes more than ${bytes - 1} bytes (maxPayloadBytes)`);
      expect(seen).toEqual([]);
    }
  });

  it("Z7: is 1 MiB where nothing is said", () => {
    const definition = define(z.string());
    const exact = "x".repeat(1_048_574);
    expect(checkPayload(definition, exact)).toBe(exact);
    expect(refused(definition, `${exact}x`)).toBeInstanceOf(PayloadError);
  });

  it("Z6: refuses cyclic and deep payloads, and what cannot be read, before the schema sees them", () => {
    seen.length = 0;
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const keys = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`key${index}`, 1]));
    for (const payload of [cyclic, deep, proxy, { a: [cyclic] }, keys, { length: 1e9, all: "x".repeat(2e6) }])
      expect(refused(bounded(1_048_576), payload)).toBeInstanceOf(PayloadError);
    expect(seen).toEqual([]);
  });

  it("holds for undefined too, which takes nothing", () => {
    expect(checkPayload(bounded(1), undefined)).toBeUndefined();
  });
});

describe("startPayloadCheck", () => {
  const checked = async (...given: Parameters<typeof startPayloadCheck>) => startPayloadCheck(...given);

  it("waits for a schema, and also takes one that answers at once", async () => {
    const later = define(z.string().refine(async () => true));
    expect(await checked(later, "a")).toEqual({ value: "a" });
    expect(await checked(define(z.string()), "a")).toEqual({ value: "a" });
  });

  it("rejects as checkPayload throws", async () => {
    const later = define(z.string().refine(async () => false, "not today"));
    expect(await rejectionOf(checked(later, "a"))).toMatchObject({
      code: "MILLRACE_PAYLOAD",
      issues: [{ message: "not today", path: "payload" }],
    });
    const cause = new Error("later");
    const rejecting = define(answering(() => Promise.reject(cause)));
    expect(await rejectionOf(checked(rejecting, "a"))).toMatchObject({
      handler: "sendEmail",
      cause,
    });
    const small = define(z.string(), { maxPayloadBytes: 2 });
    expect(await rejectionOf(checked(small, "a"))).toBeInstanceOf(PayloadError);
  });

  it("Z4: does not wait for what comes out, though it has a `then`", async () => {
    const thenable = { then: () => expect.unreachable("it was waited for") };
    for (const schema of [
      answering(() => ({ value: thenable })),
      answering(async () => ({ value: thenable })),
    ]) {
      expect((await checked(define(schema), 1)).value).toBe(thenable);
      expect(checkPayload(define(answering(() => ({ value: thenable }))), 1)).toBe(thenable);
    }
  });

  it("agrees with checkPayload on any payload", async () => {
    const definition = define(json<{ a: string }>(), { maxPayloadBytes: 60 });
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
    });
    const outcome = (error: unknown) => (error instanceof PayloadError ? error.message : error);
    await fc.assert(
      fc.asyncProperty(anything, async (payload) => {
        const promised = await checked(definition, payload).then(({ value }) => [value], outcome);
        let direct: unknown;
        try {
          direct = [checkPayload(definition, payload)];
        } catch (error) {
          direct = outcome(error);
        }
        expect(promised).toEqual(direct);
      }),
    );
  });
});

describe("checkResult", () => {
  it("gives the result as it is where there is no schema, and what comes out where there is one", async () => {
    const thenable = { then: () => expect.unreachable("it was waited for") };
    expect((await checkResult(mail, thenable)).value).toBe(thenable);
    const checked = define(z.string(), { result: z.object({ size: z.coerce.number() }) });
    expect(await checkResult(checked, { size: "5" })).toEqual({ value: { size: 5 } });
    const later = define(z.string(), { result: z.number().refine(async () => true) });
    expect(await checkResult(later, 5)).toEqual({ value: 5 });
  });

  it("rejects what the schema refuses, or fails at", async () => {
    const checked = define(z.string(), { result: z.object({ size: z.number() }) });
    const error = await rejectionOf(checkResult(checked, { size: "5" }));
    expect(error).toBeInstanceOf(ResultError);
    expect(error).toMatchObject({
      code: "MILLRACE_RESULT",
      handler: "sendEmail",
      issues: [{ path: "result.size" }],
    });
    expect((error as Error).message).toMatch(
      /^What handler "sendEmail" returned was refused: result\.size: /,
    );
    const cause = new Error("hostile");
    const failing = define(z.string(), { result: answering(() => Promise.reject(cause)) });
    expect(await rejectionOf(checkResult(failing, 1))).toMatchObject({ code: "MILLRACE_RESULT", cause });
  });
});
