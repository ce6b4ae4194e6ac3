import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { exponential } from "../../src/task/backoff.js";
import { readTaskEnvelope, type TaskEnvelope, toTaskEnvelope } from "../../src/task/task-envelope.js";
import { thrownBy } from "../support/manual-manager.js";
import { runCount } from "../support/run-count.js";
import { takesLong } from "../support/takes-long.js";

const full: TaskEnvelope = {
  ...{ timeoutMs: 5_000, maxAttempts: 3, killAfterMs: 0, backoff: exponential({ delayMs: 50 }) },
  ...{ deadlineAt: 1_800_000_000_000, name: "welcome", description: "Says hello", correlationId: "r:1" },
  metadata: { tenant: "a", retries: 2, vip: true },
  headers: { traceparent: "00-1-2-01" },
  ...{ resultTtlMs: 600_000, deadLetter: false },
};
const read = (text: string) => {
  const { envelope } = readTaskEnvelope(text) as { envelope?: TaskEnvelope };
  return envelope;
};
const written = (fields: object) => JSON.stringify({ v: 1, ...fields });

describe("a task envelope", () => {
  it("comes back with all fields, and only with those that were given", () => {
    expect(read(toTaskEnvelope(full))).toEqual(full);
    expect(read(toTaskEnvelope({}))).toEqual({});
    expect(toTaskEnvelope({})).toBe('{"v":1}');
    expect(toTaskEnvelope({ name: undefined, timeoutMs: false })).toBe('{"v":1,"timeoutMs":false}');
    expect(read('{"v":1,"timeoutMs":false}')).toEqual({ timeoutMs: false });
  });

  it("Z4: keeps metadata and headers without a prototype, whatever their keys are", () => {
    const keys = JSON.parse('{"__proto__":"a","constructor":"b","then":"c","toString":"d"}');
    const envelope = read(toTaskEnvelope({ metadata: keys, headers: keys }));
    for (const kept of [envelope?.metadata, envelope?.headers]) {
      expect(Object.getPrototypeOf(kept)).toBeNull();
      expect(Object.entries(kept ?? {})).toEqual(Object.entries(keys));
    }
  });

  it("is refused where it is written, if a reader would refuse it", () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`h${index}`, ""]));
    for (const [wrong, option] of [
      [{ backoff: () => 5 }, "envelope.backoff"],
      [{ timeoutMs: Number.NaN }, "envelope.timeoutMs"],
      [{ headers: many }, "envelope.headers"],
      [{ headers: { a: "€".repeat(11_000) } }, "envelope.headers"],
      [{ headers: { a: 5 } }, "envelope.headers.a"],
      [{ attempts: 5 }, "envelope.attempts"],
    ] as const) {
      const error = thrownBy(() => toTaskEnvelope(wrong as never));
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option });
    }
  });

  it("is as large as it may be and can be read again, whatever letters it has", () => {
    for (const letter of ["\u0001", "€", '"']) {
      const most = Math.floor(16_000 / Buffer.byteLength(letter));
      const envelope = {
        ...{ name: letter.repeat(128), description: letter.repeat(1_024), correlationId: letter.repeat(128) },
        ...{ metadata: { a: letter.repeat(most) }, headers: { a: letter.repeat(2 * most) } },
      };
      expect(read(toTaskEnvelope(envelope))).toEqual(envelope);
    }
  });

  it("Z10: leaves fields that are not known to this version out of the way", () => {
    expect(read(written({ name: "a", fairKey: { x: 1 }, constructor: 5, __proto__: 1 }))).toEqual({
      name: "a",
    });
    expect(read('{"v":1,"__proto__":{"timeoutMs":1}}')).toEqual({});
  });

  it("Z10: tells another version apart from junk", () => {
    for (const v of [2, 0, 1_000_000])
      expect(readTaskEnvelope(JSON.stringify({ v, timeoutMs: "another meaning" }))).toEqual({
        problem: "version",
        version: v,
      });
  });

  it.each([
    ["", "it is not JSON"],
    ["[]", "it is no object"],
    ["null", "it is no object"],
    ["{}", "it has no version"],
    ['{"v":"1"}', "it has no version"],
    ['{"v":1.5}', "it has no version"],
    ['{"__proto__":{"v":1}}', "it has no version"],
    [undefined, "it is no text"],
    ["x".repeat(1e6), "it is no text, or a too long one"],
    [written({ timeoutMs: 0 }), "envelope.timeoutMs"],
    [written({ timeoutMs: true }), "envelope.timeoutMs"],
    [written({ maxAttempts: 0 }), "envelope.maxAttempts"],
    [written({ maxAttempts: 1.5 }), "envelope.maxAttempts"],
    ['{"v":1,"killAfterMs":1e999}', "envelope.killAfterMs"],
    [written({ backoff: { kind: "fixed" } }), "envelope.backoff.delayMs"],
    [written({ backoff: { ...exponential(), kind: "constructor" } }), "envelope.backoff.kind"],
    [written({ backoff: { ...exponential(), more: 1 } }), "envelope.backoff.more"],
    [written({ deadlineAt: 1e300 }), "envelope.deadlineAt"],
    [written({ name: null }), "envelope.name"],
    [written({ name: "x".repeat(129) }), "envelope.name"],
    [written({ metadata: { a: {} } }), "envelope.metadata.a"],
    [written({ resultTtlMs: -1 }), "envelope.resultTtlMs"],
    [written({ deadLetter: 1 }), "envelope.deadLetter"],
  ])("%.40s is malformed: %s", (text, says) => {
    expect(readTaskEnvelope(text as string)).toEqual({
      problem: "malformed",
      message: expect.stringContaining(says),
    });
  });

  it.each([
    [[]],
    [{ a: 5 }],
    ["traceparent"],
    [Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`h${n}`, ""]))],
    [{ a: "x".repeat(40_000) }],
  ])("leaves out headers that are not as they should be, which are no part of the task: %.30j", (headers) => {
    const read = readTaskEnvelope(written({ headers, name: "mine" }));
    expect(read).toEqual({ envelope: { name: "mine" } });
  });

  it("Z3: any text gives an envelope or a problem, and soon", () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(0, 1, -1, 1e300, "", true, {}, exponential(), { a: "b" }),
    );
    const names = Object.keys(full);
    const fields = fc.dictionary(fc.oneof(fc.constantFrom(...names, "__proto__"), fc.string()), value);
    const text = fc.oneof(
      { weight: 4, arbitrary: fields.map(written) },
      { weight: 1, arbitrary: fc.string() },
      { weight: 1, arbitrary: fc.json() },
    );
    fc.assert(
      fc.property(text, (given) => {
        const { envelope, problem } = readTaskEnvelope(given) as {
          envelope?: TaskEnvelope;
          problem?: string;
        };
        if (envelope !== undefined) expect(read(toTaskEnvelope(envelope))).toEqual(envelope);
        expect((envelope === undefined) !== (problem === undefined)).toBe(true);
        return !takesLong(() => readTaskEnvelope(given));
      }),
      { numRuns: runCount(5_000, 200_000) },
    );
  });
});
