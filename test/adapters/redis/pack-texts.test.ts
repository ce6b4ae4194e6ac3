import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ScriptValue } from "../../../src/adapters/redis/pack-texts.js";
import { packTexts } from "../../../src/adapters/redis/pack-texts.js";
import { RedisServer } from "../../support/redis-server.js";

let server: RedisServer;
let raw: Redis;

beforeAll(async () => {
  server = await RedisServer.start();
  raw = new Redis(server.url);
}, 150_000);

afterAll(async () => {
  raw.disconnect();
  await server[Symbol.asyncDispose]();
});

/** What a script reads of a list. */
async function unpacked(values: readonly ScriptValue[]): Promise<readonly string[]> {
  const answer = await raw.callBuffer("eval", ["return cmsgpack.unpack(ARGV[1])", 0, packTexts(values)]);
  return (answer as readonly Buffer[]).map((text) => text.toString("hex"));
}

function expected(values: readonly ScriptValue[]): readonly string[] {
  return values.map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(String(value))).toString("hex"));
}

describe("a packed list", () => {
  test("is read as it was written, at each length that has a header of its own", async () => {
    const lengths = [0, 1, 9, 10, 11, 31, 32, 255, 256, 65_535, 65_536, 100_000];
    const values = lengths.flatMap((length) => [
      "a".repeat(length),
      Buffer.alloc(length, 0xff),
      "€".repeat(length),
    ]);
    expect(await unpacked(values)).toEqual(expected(values));
  });

  test("holds more than 65,535 texts", async () => {
    const answer = await raw.eval("return #cmsgpack.unpack(ARGV[1])", 0, packTexts(Array(70_000).fill(7)));
    expect(answer).toBe(70_000);
  });

  test("keeps whatever texts, numbers and bytes there are", async () => {
    const value = fc.oneof(
      fc.string({ unit: "binary" }).filter((text) => Buffer.from(text).toString() === text),
      fc.maxSafeInteger(),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 40 }), async (values) => {
        expect(await unpacked(values)).toEqual(expected(values));
      }),
      { numRuns: 300 },
    );
  });
});
