import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { troubleFields } from "../../../src/adapters/redis/redis-log.js";

const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
const at = (url: string) => new Redis(url, { lazyConnect: true });

describe("what is logged of trouble with Redis", () => {
  test("is what was met and where, by the system or by the server", () => {
    const client = at("redis://10.1.2.3:6380/4");
    const address = "10.1.2.3:6380";
    expect(troubleFields(refused, client)).toEqual({ errorType: "Error", code: "ECONNREFUSED", address });
    const denied = new Error("WRONGPASS invalid username-password pair or user is disabled.");
    expect(troubleFields(denied, client)).toEqual({ errorType: "Error", code: "WRONGPASS", address });
    expect(troubleFields(new TypeError("x"), client)).toEqual({ errorType: "TypeError", address });
    expect(troubleFields(undefined, client)).toEqual({ errorType: "undefined", address });
  });

  test("is never a user, a password, or a code that is none", () => {
    const client = at("rediss://somebody:hunter2@cache.example:6379?username=else&password=hunter3");
    const strange = Object.assign(new Error("hunter2"), { code: "hunter2" });
    const fields = troubleFields(strange, client);
    expect(fields).toEqual({ errorType: "Error", address: "cache.example:6379" });
  });

  test("names a socket by its path, IPv6 in brackets, and nothing where another word decides", () => {
    const where = (options: object) => troubleFields(refused, new Redis({ lazyConnect: true, ...options }));
    expect(where({ path: "/run/redis.sock", password: "hunter2" })).toMatchObject({
      address: "/run/redis.sock",
    });
    expect(where({ host: "::1", port: 7 })).toMatchObject({ address: "[::1]:7" });
    expect(where({})).toMatchObject({ address: "localhost:6379" });
    expect(where({ host: 5 })).toMatchObject({ address: "5:6379" });
    expect(where({ sentinels: [{ host: "a", port: 1 }], name: "m" })).not.toHaveProperty("address");
  });
});
