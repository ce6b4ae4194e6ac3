import { describe, expect, it } from "vitest";
import * as z from "zod";
import { OptionError } from "../../src/errors.js";
import { type Codec, defineCodec } from "../../src/task/codec.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { json } from "../../src/task/json.js";
import { checkPayload } from "../../src/task/payload.js";
import { thrownBy } from "../support/manual-manager.js";

const text = {
  name: "text",
  encode: (value: string) => Buffer.from(value),
  decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
};

describe("defineCodec", () => {
  it("makes a schema that takes everything, with the codec in it", () => {
    const codec = defineCodec(text);
    expect(codec["~standard"]).toMatchObject({ version: 1, vendor: "millrace" });
    expect(checkPayload(readDefinition("send", { payload: codec }), 5)).toBe(5);
    expect(codec["~codec"]).toMatchObject({ name: "text", encode: text.encode, decode: text.decode });
    expect([codec, codec["~codec"], codec["~standard"]].every(Object.isFrozen)).toBe(true);
  });

  it("asks the schema that it is given, which may be asynchronous or have a `this`", async () => {
    class Own {
      readonly version = 1;
      readonly vendor = "test";
      readonly #most = 3;
      validate(value: unknown) {
        const issues = [{ message: "too long" }];
        return String(value).length <= this.#most ? { value: String(value) } : { issues };
      }
    }
    const own = defineCodec({ ...text, schema: { "~standard": new Own() } });
    expect(checkPayload(readDefinition("send", { payload: own }), "abc")).toBe("abc");
    const refusal = thrownBy(() => checkPayload(readDefinition("send", { payload: own }), "abcd"));
    expect(refusal).toMatchObject({ code: "MILLRACE_PAYLOAD", issues: [{ message: "too long" }] });
    const later = defineCodec({ ...text, schema: z.string().refine(async () => true) });
    expect(await later["~standard"].validate("abc")).toEqual({ value: "abc" });
  });

  it.each([
    [undefined, "Expected `name` to be given"],
    [{ ...text, name: "" }, "Expected `name` to be 1 to 128 characters"],
    [{ ...text, name: "x".repeat(129) }, "Expected `name` to be 1 to 128 characters"],
    [{ ...text, encode: 5 }, "Expected `encode` to be a function"],
    [{ name: "text", encode: text.encode }, "Expected `decode` to be given"],
    [{ ...text, schema: {} }, "Expected `schema` to be a schema"],
    [{ ...text, decoder: text.decode }, "did you mean `decode`?"],
  ])("refuses %o", (options, message) => {
    const error = thrownBy(() => defineCodec(options as never));
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toContain(message);
  });
});

describe("a handler", () => {
  it("takes a codec as payload and as result, a made one as well as one of its own make", () => {
    const own: Codec<string> = { ...json<string>(), "~codec": text };
    for (const codec of [defineCodec(text), own]) {
      const definition = readDefinition("send", { payload: codec, result: codec });
      expect([definition.payload, definition.result]).toEqual([codec, codec]);
    }
  });

  it("refuses half a codec, where it would else be stored as JSON in silence", () => {
    for (const half of [5, null, {}, { name: "x", encode: text.encode }, { ...text, name: 5 }]) {
      const payload = { ...json<string>(), "~codec": half };
      const error = thrownBy(() => readDefinition("send", { payload }));
      expect(error).toMatchObject({ code: "MILLRACE_OPTION", option: 'handlers.send.payload["~codec"]' });
      expect(
        thrownBy(() => readDefinition("send", { payload: json<string>(), result: payload })),
      ).toMatchObject({
        option: 'handlers.send.result["~codec"]',
      });
    }
  });
});
