import { readFileSync } from "node:fs";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { protobufCodec } from "../../../src/adapters/protobuf/protobuf-codec.js";
import { OptionError, PayloadError } from "../../../src/errors.js";
import type { Codec } from "../../../src/task/codec.js";
import { readDefinition } from "../../../src/task/handler-definition.js";
import { json } from "../../../src/task/json.js";
import { checkPayload, checkResult } from "../../../src/task/payload.js";
import { decodePayload, encodePayload, startStoredPayload } from "../../../src/task/stored-payload.js";
import { decodeResult, encodeResult } from "../../../src/task/stored-result.js";
import { Parcel } from "../../fixtures/parcel.js";
import { fixtureCommand, startChild } from "../../support/child-process.js";
import { rejectionOf, thrownBy } from "../../support/manual-manager.js";
import { runCount } from "../../support/run-count.js";
import { takesLong } from "../../support/takes-long.js";

const { root } = protobuf.parse(`
  syntax = "proto3";
  package shop;
  enum Kind { PLAIN = 0; HTML = 1; }
  message Part { string name = 1; uint64 size = 2; }
  message Mail {
    string to = 1;
    sint64 at = 2;
    bytes body = 3;
    repeated Part parts = 4;
    map<string, int32> counts = 5;
    oneof choice { string text = 6; int32 number = 7; }
    Kind kind = 8;
    double score = 9;
    Mail inner = 10;
    fixed64 big = 11;
  }`);
const mail = root.lookupType("shop.Mail");
const definition = readDefinition("send", { payload: protobufCodec(mail) });
const issueOf = (payload: unknown) =>
  (thrownBy(() => checkPayload(definition, payload)) as PayloadError).issues[0];
const Long = protobuf.util.Long as unknown as {
  fromString(text: string): { negate(): object };
  readonly MAX_UNSIGNED_VALUE: object;
};

/** What a producer gives, as it comes to the handler of another process. */
const crossed = (payload: unknown) => {
  checkPayload(definition, payload);
  return startStoredPayload(definition, encodePayload(definition, payload)) as {
    value: Record<string, unknown>;
  };
};

describe("the codec of a reflected type", () => {
  it("stores messages and plain objects as protobuf does, and gives messages with their defaults", () => {
    const given = {
      to: "a",
      parts: [{ name: "p" }],
      counts: { x: 1 },
      text: "t",
      kind: 1,
      body: Uint8Array.of(7),
    };
    for (const payload of [given, mail.fromObject(given)]) {
      const { value } = crossed(payload);
      expect(value).toBeInstanceOf(mail.ctor);
      expect(mail.toObject(value as never)).toMatchObject({ ...given, body: expect.any(Uint8Array) });
      expect([value["score"], value["choice"]]).toEqual([0, "text"]);
    }
    expect(encodePayload(definition, given)).toEqual(
      Uint8Array.from(mail.encode(mail.fromObject(given)).finish()),
    );
    expect(crossed({}).value).toBeInstanceOf(mail.ctor);
    expect(checkPayload(definition, given)).toBeInstanceOf(mail.ctor);
  });

  it("Z5: keeps 64-bit integers, -0, NaN and infinities exactly", () => {
    const big = Long.fromString("9007199254740993");
    const most = Long.MAX_UNSIGNED_VALUE;
    const { value } = crossed({ at: big.negate(), big: most, score: -0 });
    expect([String(value["at"]), String(value["big"])]).toEqual(["-9007199254740993", String(most)]);
    expect(Object.is(value["score"], -0)).toBe(true);
    for (const score of [Number.NaN, Number.POSITIVE_INFINITY, 5e-324])
      expect(crossed({ score }).value["score"]).toBe(score);
  });

  it.each([
    [null, "payload", "object expected"],
    ["text", "payload", "object expected"],
    [{ to: 5 }, "payload", "to: string expected"],
    [{ parts: [{ size: "5" }] }, "payload", "parts.size: integer|Long expected"],
    [{ text: "a", number: 5 }, "payload", "choice: multiple values"],
    [{ kind: "HTML" }, "payload", "kind: enum value expected"],
    [{ number: 2 ** 31 }, "payload.number", "does not fit into the field"],
    [{ counts: { x: -(2 ** 40) } }, "payload.counts.x", "does not fit into the field"],
    [{ parts: [{}, { size: 2 ** 64 }] }, "payload.parts[1].size", "does not fit into the field"],
    [{ parts: [{ size: -1 }] }, "payload.parts[0].size", "does not fit into the field"],
    [{ at: 2 ** 63 }, "payload.at", "does not fit into the field"],
  ])("refuses %o: %s %s", (payload, path, message) => {
    expect(issueOf(payload)).toEqual({ path, message });
  });

  it.each([
    ["a field", { to: "a\ud800" }, "payload.to"],
    ["the other half", { to: "\udc00b" }, "payload.to"],
    ["an element", { parts: [{ name: "good" }, { name: "\ud800" }] }, "payload.parts[1].name"],
    ["a message in a message", { inner: { inner: { text: "\ud800" } } }, "payload.inner.inner.text"],
    ["a key of a map", { counts: { good: 1, "\ud800": 2 } }, `payload.counts["\ufffd"]`],
  ])("refuses half of a surrogate pair in %s, in plain objects and in messages", (_where, torn, path) => {
    const message = expect.stringContaining("half of a surrogate pair");
    expect(issueOf(torn)).toEqual({ message, path });
    expect(issueOf(mail.fromObject(torn))).toEqual({ message, path });
  });

  it("refuses half of a surrogate pair in a result, and takes a whole one", async () => {
    const returning = readDefinition("send", { payload: json(), result: protobufCodec(mail) });
    const error = await rejectionOf(checkResult(returning, { parts: [{ name: "\udc00" }] }));
    expect(error).toMatchObject({ code: "MILLRACE_RESULT" });
    expect((error as Error).message).toContain("result.parts[0].name: is no well-formed text");
    const whole = encodeResult(returning, { parts: [{ name: "😀" }] });
    expect(decodeResult(returning, whole)).toMatchObject({ parts: [{ name: "😀" }] });
  });

  it("takes whole surrogate pairs wherever there is text, and gives them back", () => {
    const whole = {
      to: "😀",
      parts: [{ name: "😀" }],
      counts: { "😀": 1 },
      inner: { text: "😀" },
      body: [0xd8],
    };
    const stored = encodePayload(definition, checkPayload(definition, whole));
    expect(decodePayload(definition, stored)).toMatchObject({
      to: "😀",
      counts: { "😀": 1 },
      inner: { text: "😀" },
    });
  });

  it("Z6: refuses a message in itself", () => {
    const cyclic: Record<string, unknown> = { to: "a" };
    cyclic["inner"] = cyclic;
    expect(thrownBy(() => encodePayload(definition, cyclic))).toBeInstanceOf(PayloadError);
    expect(thrownBy(() => checkPayload(definition, cyclic))).toBeInstanceOf(PayloadError);
  });

  it("takes members that are null, unset, or not of the type", () => {
    expect(crossed({ to: null, at: undefined, more: 1 }).value).not.toHaveProperty("more");
    expect(crossed({ at: 2 ** 60, number: -0, score: 2 ** 70 }).value).toMatchObject({
      number: 0,
      score: 2 ** 70,
    });
  });

  it("Z3: any bytes give a message or a PayloadError, and soon", () => {
    const whole = encodePayload(definition, {
      to: "a",
      parts: [{ name: "p", size: 5 }],
      counts: { x: 1 },
      inner: {},
    });
    const broken = fc
      .tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length))
      .map(([at, byte, end]) => whole.with(at, byte).slice(0, end));
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 64 }), broken),
        (bytes) => !takesLong(() => decodeOrRefuse(bytes)),
      ),
      { numRuns: runCount(5_000, 200_000) },
    );
  });

  it("Z4: a map with the key __proto__ pollutes nothing", () => {
    const counts = Uint8Array.of(0x0a, 9, ...Buffer.from("__proto__"), 0x10, 5);
    const { counts: kept } = decodePayload(definition, Uint8Array.of(0x2a, counts.length, ...counts)) as {
      counts: object;
    };
    expect(Object.getPrototypeOf(kept)).toBe(Object.getPrototypeOf({}));
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});

describe("the codec of a static class", () => {
  const codec = protobufCodec(Parcel);

  it("works as that of a reflected type, and is called as the class", () => {
    const sent = readDefinition("ship", { payload: codec });
    const { value } = startStoredPayload(sent, encodePayload(sent, { to: "a", weight: 5 })) as {
      value: unknown;
    };
    expect(value).toBeInstanceOf(Parcel);
    expect(value).toMatchObject({ to: "a", weight: 5 });
    expect(codec["~codec"].name).toBe("Parcel");
    expect((protobufCodec(mail) as Codec)["~codec"].name).toBe(".shop.Mail");
    expect(thrownBy(() => checkPayload(sent, { to: 5 }))).toBeInstanceOf(PayloadError);
  });

  it.each([undefined, null, 5, {}, class {}, { ...mail }, "shop.Mail", root])(
    "takes no %o for a type",
    (type) => {
      const error = thrownBy(() => protobufCodec(type as never));
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message).toContain("a protobufjs type with encode, decode, verify, fromObject");
    },
  );
});

describe("protobufjs itself (V14)", () => {
  const read = (path: string) =>
    JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")) as {
      readonly version: string;
      readonly peerDependencies: Readonly<Record<string, string>>;
    };
  /** The first one in which the names of a descriptor are no code (CVE-2026-44291). */
  const FIRST_SOUND = "8.0.2";
  const isSound = (version: string) => version.localeCompare(FIRST_SOUND, "en", { numeric: true }) >= 0;

  it("V14: is of a version without known faults, here and wherever millrace is installed", () => {
    expect(isSound("8.0.1")).toBe(false);
    expect(isSound(read("node_modules/protobufjs/package.json").version)).toBe(true);
    const range = read("package.json").peerDependencies["protobufjs"] ?? "";
    expect(range).toMatch(/^\^\d+\.\d+\.\d+$/); // no range that begins earlier besides
    expect(isSound(range.slice(1))).toBe(true);
  });

  it("V14: generated types work where no code can be made of text", async () => {
    const [node = "", ...rest] = fixtureCommand("generated-types.ts");
    const end = await startChild([node, "--disallow-code-generation-from-strings", ...rest]).ended;
    expect(end).toMatchObject({ code: 0, stdout: "Ann 5\nEvalError\n", stderr: "" });
  });
});

/** Lets everything through that is no refusal. */
function decodeOrRefuse(bytes: Uint8Array): void {
  try {
    decodePayload(definition, bytes);
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
  }
}
