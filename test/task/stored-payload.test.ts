import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { PayloadError } from "../../src/errors.js";
import { type CodecPart, defineCodec } from "../../src/task/codec.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { type JsonValue, json } from "../../src/task/json.js";
import type { Schema } from "../../src/task/schema.js";
import { decodePayload, encodePayload, startStoredPayload } from "../../src/task/stored-payload.js";
import { crowding } from "../support/crowding.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";
import { runCount } from "../support/run-count.js";
import { takesLong } from "../support/takes-long.js";

const anything: Schema = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
const define = (payload: unknown, more: object = {}) => readDefinition("send", { payload, ...more });
const open = define(anything);
const utf8 = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const stored = (value: unknown) => decodePayload(open, encodePayload(open, value));
const refusal = (run: () => unknown) => thrownBy(run) as PayloadError;
const firstIssue = (run: () => unknown) => refusal(run).issues[0];

const keysOfPrototypes = () => [Object.prototype, Array.prototype].flatMap((each) => Reflect.ownKeys(each));
let keysBefore: readonly PropertyKey[] = [];
beforeAll(() => {
  keysBefore = keysOfPrototypes();
});
afterAll(() => expect(keysOfPrototypes()).toEqual(keysBefore));

describe("a payload without a codec", () => {
  it("is stored as the JSON text of what the schema took, and the handler gets what comes out of it", () => {
    const dated = define(z.object({ at: z.string().transform((text) => new Date(text)) }));
    const bytes = encodePayload(dated, { at: "2024-01-01" });
    expect(textOf(bytes)).toBe('{"at":"2024-01-01"}');
    expect(decodePayload(dated, bytes)).toEqual({ at: "2024-01-01" });
    expect(startStoredPayload(dated, bytes)).toEqual({ value: { at: new Date("2024-01-01") } });
  });

  it("waits for an asynchronous schema, and is refused by it as by any other", async () => {
    const later = define(z.string().refine(async (text) => text !== "no", "not today"));
    expect(await startStoredPayload(later, utf8('"yes"'))).toEqual({ value: "yes" });
    expect(await rejectionOf(Promise.resolve(startStoredPayload(later, utf8('"no"'))))).toMatchObject({
      ...{ code: "MILLRACE_PAYLOAD", handler: "send", issues: [{ path: "payload", message: "not today" }] },
    });
    expect(refusal(() => startStoredPayload(define(z.string()), utf8("5")))).toBeInstanceOf(PayloadError);
  });

  it("is no bytes at all where it is undefined", () => {
    const nothing = define(z.undefined());
    expect(encodePayload(nothing, undefined)).toEqual(new Uint8Array());
    expect(startStoredPayload(nothing, new Uint8Array())).toEqual({ value: undefined });
    expect(refusal(() => startStoredPayload(define(json<JsonValue>()), new Uint8Array())).message).toContain(
      "JSON cannot hold undefined",
    );
  });

  it("Z5: comes back exactly as it was", () => {
    const numbers = [2 ** 53 + 2, -(2 ** 53), 5e-324, Number.MAX_VALUE, 0.1 + 0.2, 1e21, 0, -0];
    expect(stored(numbers)).toEqual(numbers);
    expect(Object.is(stored(-0), -0)).toBe(true);
    expect(textOf(encodePayload(open, { a: [-0, "x", null], b: undefined, "\u2028": { c: true } }))).toBe(
      '{"a":[-0,"x",null],"\u2028":{"c":true}}',
    );
    for (const value of [[], {}, [[]], { "": [] }, "", null, false, "\ud800", "\u0000\ufeff", { then: 1 }])
      expect(stored(value)).toEqual(value);
  });

  it("Z5: comes back exactly as it was, whatever plain JSON it is", () => {
    const isRefused = (each: unknown) => /"(__proto__|constructor)":/.test(JSON.stringify(each));
    const value = fc.jsonValue({ maxDepth: 5, stringUnit: "binary" }).filter((each) => !isRefused(each));
    fc.assert(
      fc.property(value, (each) => {
        expect(stored(each)).toEqual(each);
      }),
      { numRuns: runCount(1_500, 20_000) },
    );
  });

  class Point {
    x = 1;
  }
  it.each([
    [{ at: [new Date(0)] }, "payload.at[0]", "a Date"],
    [{ id: 2n ** 64n }, "payload.id", "a bigint"],
    [[1, undefined], "payload[1]", "undefined"],
    [{ a: { b: Number.NaN } }, "payload.a.b", "NaN"],
    [{ a: Number.POSITIVE_INFINITY }, "payload.a", "Infinity"],
    [new Map(), "payload", "a Map"],
    [{ a: new Point() }, "payload.a", "an instance of a class"],
    [{ a: new Uint8Array(2) }, "payload.a", "an instance of a class"],
    [{ call: () => 1 }, "payload.call", "a function"],
    [{ tag: Symbol("x") }, "payload.tag", "a symbol"],
    [Object.assign([1], { toJSON: () => 5 }), "payload", "a toJSON of its own"],
    [Object.defineProperty({}, "toJSON", { value: () => 5 }), "payload", "a toJSON of its own"],
  ])("Z5: is refused with its path where it would come back as something else: %o", (value, path, what) => {
    expect(firstIssue(() => encodePayload(open, value))).toEqual({
      path,
      message: expect.stringContaining(
        `JSON cannot hold ${what.startsWith("a toJSON") ? "what has " : ""}${what}`,
      ),
    });
  });

  it("Z4: is refused where a key could set a prototype, at both ends", () => {
    for (const text of ['{"a":{"__proto__":{"x":1}}}', '{"a":{"constructor":{"prototype":{"x":1}}}}']) {
      const message = "a key that would set a prototype";
      expect(firstIssue(() => decodePayload(open, utf8(text)))?.message).toBe(message);
      expect(firstIssue(() => encodePayload(open, JSON.parse(text)))?.message).toBe(message);
    }
    const escaped = utf8('{"\\u005f_proto__":1}');
    expect(refusal(() => decodePayload(open, escaped))).toBeInstanceOf(PayloadError);
    for (const fine of [
      { constructor: "Ford" },
      { constructor: { x: 1 } },
      { prototype: 1, hasOwnProperty: 2 },
    ])
      expect(stored(fine)).toEqual(fine);
  });

  it("Z6: is refused where it is deep, wide or cyclic, before it costs much", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = [cyclic];
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    let wide: unknown = "x";
    for (let level = 0; level < 40; level++) wide = [wide, wide]; // 2^40 texts in 40 objects
    const keys = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`key${index}`, 1]));
    for (const value of [cyclic, deep, wide, keys]) {
      const before = performance.now();
      expect(refusal(() => encodePayload(open, value))).toBeInstanceOf(PayloadError);
      expect(performance.now() - before).toBeLessThan(500 * crowding());
    }
    expect(refusal(() => encodePayload(open, wide)).message).toContain("takes more than 1048576 bytes");
    const nested = utf8("[".repeat(100_000) + "]".repeat(100_000));
    expect(refusal(() => decodePayload(open, nested)).message).toContain("nested deeper than 1000");
  });

  it("is refused where it cannot be read, or is something else when it is read again", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    let reads = 0;
    const fickle = {
      get a() {
        return reads++ === 0 ? 1 : 2n;
      },
    };
    for (const value of [proxy, [proxy], fickle]) {
      const error = refusal(() => encodePayload(open, value));
      expect(error).toBeInstanceOf(PayloadError);
      expect(error.cause).toBeInstanceOf(TypeError);
    }
  });

  it("Z7: takes limit - 1 and limit bytes of UTF-8 and refuses limit + 1, at both ends", () => {
    for (const letter of ["x", "ä", "€", "😀", "\u0001", "\ud800"]) {
      const payload = { to: letter.repeat(50), zero: -0 };
      const bytes = encodePayload(open, payload);
      expect(bytes).toHaveLength(Buffer.byteLength(JSON.stringify(payload)) + 1);
      for (const maxPayloadBytes of [bytes.length + 1, bytes.length]) {
        const fitting = define(anything, { maxPayloadBytes });
        expect(decodePayload(fitting, encodePayload(fitting, payload))).toEqual(payload);
      }
      const small = define(anything, { maxPayloadBytes: bytes.length - 1 });
      const message = `payload: takes more than ${bytes.length - 1} bytes (maxPayloadBytes)`;
      expect(refusal(() => encodePayload(small, payload)).message).toContain(message);
      expect(refusal(() => decodePayload(small, bytes)).message).toContain(message);
    }
  });

  it.each([
    ["is not stored as UTF-8", Uint8Array.of(0x22, 0xc3, 0x22)],
    ["is not stored as UTF-8", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ["is not stored as JSON", utf8('{"card":"4111 1111')],
    ["is not stored as JSON", utf8("\ufeff{}")],
    ["is not stored as JSON", utf8("undefined")],
    ["JSON cannot hold Infinity", utf8("[1e400]")],
    ["is not stored as bytes", "{}"],
    ["is not stored as bytes", undefined],
    ["is not stored as bytes", new Proxy(new Uint8Array(2), {})],
  ])("%s: nothing of what was stored is shown", (message, bytes) => {
    const error = refusal(() => decodePayload(open, bytes as Uint8Array));
    expect(error).toBeInstanceOf(PayloadError);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain("4111");
    expect(error).not.toHaveProperty("cause");
  });

  it("Z3: any bytes give a value or a PayloadError, and soon", () => {
    const snippet = fc.constantFrom(
      ...[
        '{"',
        '":',
        "[",
        "]",
        "}",
        ",",
        "1e999",
        "-0",
        '"\\u',
        "__proto__",
        "constructor",
        "null",
        "\u0000",
      ],
    );
    const near = fc.array(fc.oneof(snippet, fc.string({ maxLength: 3 })), { maxLength: 12 });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      near.map((parts) => utf8(parts.join(""))),
      fc.json().map(utf8),
    );
    fc.assert(
      fc.property(bytes, (given) => !takesLong(() => decodeOrRefuse(given))),
      { numRuns: runCount(5_000, 200_000) },
    );
  });
});

/** Lets everything through that is no refusal. */
function decodeOrRefuse(bytes: Uint8Array): void {
  try {
    decodePayload(open, bytes);
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
  }
}

describe("a payload with a codec", () => {
  const raw: CodecPart<Uint8Array> = { name: "raw", encode: (bytes) => bytes, decode: (bytes) => bytes };
  const coded = (part: object, more: object = {}) => define(defineCodec({ ...raw, ...part } as never), more);

  it("is stored as the codec encodes it, and comes back through its schema", () => {
    const dated = defineCodec({
      name: "dated",
      schema: z.date(),
      encode: (at: Date) => utf8(String(at.getTime())),
      decode: (bytes) => new Date(Number(textOf(bytes))),
    });
    const bytes = encodePayload(define(dated), new Date(5));
    expect(textOf(bytes)).toBe("5");
    expect(startStoredPayload(define(dated), bytes)).toEqual({ value: new Date(5) });
    const error = refusal(() => startStoredPayload(define(dated), utf8("junk")));
    expect(error.issues[0]?.message).toContain("date");
  });

  it("takes what JSON could not hold, and is not measured as JSON when it is read", () => {
    const big = defineCodec({
      name: "big",
      encode: (value: bigint) => utf8(value.toString(16)),
      decode: (bytes) => BigInt(`0x${textOf(bytes)}`),
    });
    const definition = define(big, { maxPayloadBytes: 4 });
    expect(startStoredPayload(definition, encodePayload(definition, 65_535n))).toEqual({ value: 65_535n });
    expect(refusal(() => encodePayload(definition, 65_536n)).message).toContain("takes more than 4 bytes");
  });

  it("Z7: takes limit - 1 and limit bytes, and refuses limit + 1, at both ends", () => {
    for (const size of [9, 10]) {
      const definition = coded({}, { maxPayloadBytes: 10 });
      const bytes = new Uint8Array(size).fill(7);
      expect(decodePayload(definition, encodePayload(definition, bytes))).toEqual(bytes);
    }
    for (const convert of [encodePayload, decodePayload])
      expect(
        refusal(() => convert(coded({}, { maxPayloadBytes: 10 }), new Uint8Array(11))).message,
      ).toContain("takes more than 10 bytes (maxPayloadBytes)");
  });

  it("shares no memory with its codec, which may use the same buffer again, or keep what it is given", () => {
    const scratch = Buffer.alloc(4);
    const definition = coded({ encode: () => scratch, decode: (bytes: Uint8Array) => bytes });
    const bytes = encodePayload(definition, 1);
    scratch.fill(9);
    expect([...bytes]).toEqual([0, 0, 0, 0]);
    expect(bytes.buffer.byteLength).toBe(4);
    (decodePayload(definition, bytes) as Uint8Array).fill(5);
    expect([...bytes]).toEqual([0, 0, 0, 0]);
  });

  it("Z2: is refused with the cause where the codec throws", () => {
    const cause = new RangeError("broken");
    const broken = coded({
      encode() {
        throw cause;
      },
      decode() {
        throw cause;
      },
    });
    for (const [convert, did] of [
      [encodePayload, "encode"],
      [decodePayload, "decode"],
    ] as const) {
      const error = refusal(() => convert(broken, new Uint8Array()));
      expect(error).toBeInstanceOf(PayloadError);
      expect(error).toMatchObject({ cause, handler: "send" });
      expect(error.message).toContain(`payload: the codec "raw" could not ${did} it`);
    }
  });

  it("is refused where the codec answers with junk or a promise, which then troubles nobody", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    const failing = () => Promise.reject(new Error("later"));
    for (const encode of [() => "text", () => undefined, () => new Proxy(new Uint8Array(1), {}), failing])
      expect(refusal(() => encodePayload(coded({ encode }), 1)).message).toContain("gave no Uint8Array");
    const then = () => expect.unreachable("it was waited for");
    for (const decode of [failing, () => ({ then })])
      expect(refusal(() => decodePayload(coded({ decode }), Uint8Array.of(1))).message).toContain(
        "gave what can be waited for",
      );
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled).toEqual([]);
  });
});
