import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { type RedisBackendOptions, redisBackend } from "../../../src/adapters/redis/index.js";
import { OptionError } from "../../../src/errors.js";

function refusal(options: unknown): OptionError {
  try {
    redisBackend(options as RedisBackendOptions);
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const url = "redis://127.0.0.1:1";

describe("redisBackend", () => {
  test("takes a URL, options or a client, and connects to nothing by itself", async () => {
    const client = new Redis({ lazyConnect: true });
    for (const one of [
      { url },
      { url: "rediss://user:secret@host:1/2" },
      { options: { port: 1 } },
      { client },
    ])
      await redisBackend(one).close();
    expect(client.status).toBe("wait");
  });

  test.each([
    [{}, "url", /one of `url`, `options` and `client`/],
    [{ url, options: {} }, "url", /one of/],
    [{ url: "http://host" }, "url", /begins with redis:/],
    [{ url: 3 }, "url", /begins with redis:/],
    [{ options: null }, "options", /an object with options of ioredis, found `null`/],
    [{ client: {} }, "client", /a client of ioredis with duplicate, callBuffer/],
    [{ url, prefix: "a{b}" }, "prefix", /1 to 64 characters/],
    [{ url, prefix: "" }, "prefix", /1 to 64 characters/],
    [{ url, prefix: "x".repeat(65) }, "prefix", /1 to 64 characters/],
    [{ url, commandTimeoutMs: 1 }, "commandTimeoutMs", /from 10 to/],
    [{ url, deadLetters: { maxEntries: -1 } }, "deadLetters.maxEntries", /from 0 up/],
    [{ url, deadLetters: { ttl: 1 } }, "deadLetters.ttl", /did you mean `ttlMs`/],
    [{ url, logger: {} }, "logger", /a logger with debug/],
    [{ uri: url }, "uri", /did you mean `url`/],
  ])("refuses %j", (options, option, message) => {
    const error = refusal(options);
    expect([error.option, error.message]).toEqual([option, expect.stringMatching(message)]);
  });

  test("repeats no password of a URL that it refuses", () => {
    for (const wrong of ["http://user:hunter2@host", "redis://user:hunter2@host:port:x", "hunter2"])
      expect(String(refusal({ url: wrong }).stack)).not.toContain("hunter2");
    const right = "redis://user:hunter2@host";
    for (const misplaced of [
      right,
      { options: right },
      { client: right },
      { prefix: right },
      { renewal: right },
    ]) {
      const { message, stack } = refusal(misplaced as never);
      expect(message).toContain("found a URL");
      expect(stack).not.toContain("hunter2");
    }
  });
});
