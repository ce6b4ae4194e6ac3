import { Redis } from "ioredis";
import { Redis as Redis5 } from "ioredis-5";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BackendSubject, backendConformance } from "../../src/testing/index.js";
import { RedisServer } from "../support/redis-server.js";
import { redisSubject } from "../support/redis-subject.js";

let copies = 0;

class CountingRedis5 extends Redis5 {
  override duplicate(...given: Parameters<Redis5["duplicate"]>) {
    copies += 1;
    return super.duplicate(...given);
  }
}

let server: RedisServer;
let audit: Redis;
let oldest: Redis5;
let subject: BackendSubject;

beforeAll(async () => {
  server = await RedisServer.start();
  audit = new Redis(server.url);
  oldest = new CountingRedis5(server.url);
  // Its types are another package's; whoever has it in place of ioredis 6 sees none but these.
  subject = redisSubject({ client: oldest as unknown as Redis }, audit);
}, 150_000);

afterAll(async () => {
  for (const client of [audit, oldest]) client.disconnect();
  await server[Symbol.asyncDispose]();
});

describe("redisBackend, on the oldest ioredis that it takes", () => {
  const later: BackendSubject = { leaseMs: 400, open: (limits) => subject.open(limits) };
  for (const { name, run } of backendConformance(later)) test.concurrent(name, run);

  test("has made its connections by that one", () => {
    expect(copies).toBeGreaterThan(0);
  });
});
