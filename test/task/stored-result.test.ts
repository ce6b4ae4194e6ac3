import { describe, expect, it } from "vitest";
import { ResultError } from "../../src/errors.js";
import { defineCodec } from "../../src/task/codec.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { json } from "../../src/task/json.js";
import { decodeResult, encodeResult } from "../../src/task/stored-result.js";
import { thrownBy } from "../support/manual-manager.js";

const define = (more: object = {}) => readDefinition("send", { payload: json<string>(), ...more });
const open = define();
const refused = (value: unknown, definition = open) =>
  thrownBy(() => encodeResult(definition, value)) as ResultError;
const big = defineCodec({
  name: "big",
  encode: (value: bigint) => new TextEncoder().encode(String(value)),
  decode: (bytes) => BigInt(Buffer.from(bytes).toString()),
});

describe("a result", () => {
  it("is stored as JSON, and comes back as it was", () => {
    for (const value of [null, 0, -0, "", [], {}, { sent: ["a", { at: 1.5 }] }]) {
      const bytes = encodeResult(open, value);
      expect(bytes).toBeInstanceOf(Uint8Array);
      expect(decodeResult(open, bytes)).toEqual(value);
    }
  });

  it("is nothing where the handler returned nothing", () => {
    expect(encodeResult(open, undefined)).toBeUndefined();
    expect(decodeResult(open, undefined)).toBeUndefined();
  });

  it("is stored by the codec of `result`, where that is one, and else not by that of the payload", () => {
    const definition = define({ result: big });
    expect(decodeResult(definition, encodeResult(definition, 2n ** 70n))).toBe(2n ** 70n);
    expect(refused(5n, define({ payload: big })).message).toContain("JSON cannot hold a bigint");
  });

  it("Z5: is refused with its path where it would come back as something else", () => {
    const error = refused({ rows: [{ at: new Date(0) }] });
    expect(error).toBeInstanceOf(ResultError);
    expect(error).toMatchObject({ code: "MILLRACE_RESULT", handler: "send" });
    expect(error.message).toBe(
      'What handler "send" returned was refused: result.rows[0].at: JSON cannot hold a Date',
    );
    for (const value of [5n, Number.NaN, () => 1, new Map(), [undefined], { a: Symbol("x") }])
      expect(refused(value)).toBeInstanceOf(ResultError);
  });

  it("Z4: is refused where it has a `then`, without a call of it; one that is no function is a member", () => {
    const then = () => expect.unreachable("it was waited for");
    for (const definition of [open, define({ result: big })])
      for (const value of [{ then }, Object.assign(() => 1, { then }), Promise.resolve(1)])
        expect(refused(value, definition).message).toContain("result: has a `then`");
    expect(decodeResult(open, encodeResult(open, { then: "later" }))).toEqual({ then: "later" });
    const hostile = {
      get then() {
        throw new Error("hostile");
      },
    };
    expect(refused(hostile)).toBeInstanceOf(ResultError);
  });

  it("Z7: takes limit - 1 and limit bytes of UTF-8 and refuses limit + 1, at both ends", () => {
    for (const letter of ["x", "ä", "€", "😀"]) {
      const value = [letter.repeat(50)];
      const bytes = encodeResult(open, value);
      const { length } = bytes as Uint8Array;
      for (const maxResultBytes of [length + 1, length]) {
        const fitting = define({ maxResultBytes });
        expect(decodeResult(fitting, encodeResult(fitting, value))).toEqual(value);
      }
      const small = define({ maxResultBytes: length - 1 });
      expect(refused(value, small).message).toContain(`takes more than ${length - 1} bytes (maxResultBytes)`);
      expect(thrownBy(() => decodeResult(small, bytes))).toBeInstanceOf(ResultError);
    }
  });

  it("gives a ResultError where the store has junk", () => {
    for (const bytes of [Uint8Array.of(0xff), Buffer.from("{"), Buffer.from('{"__proto__":{}}')])
      expect(thrownBy(() => decodeResult(open, bytes))).toBeInstanceOf(ResultError);
    expect(thrownBy(() => decodeResult(define({ result: big }), Buffer.from("x")))).toMatchObject({
      cause: expect.any(SyntaxError),
    });
  });
});
