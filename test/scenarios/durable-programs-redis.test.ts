import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { durablePrograms } from "../support/durable-programs.js";
import { hostilePayloads } from "../support/hostile-payloads.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

let server: RedisServer;
let client: Redis;
let prefix: string;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

// Managers are stopped later, so that some tasks may still be leased: what is there is whole all the same.
afterEach(async () => {
  expect(await auditRedis(client, prefix)).toEqual([]);
});

function open() {
  prefix = `test-${randomUUID()}`;
  const own = prefix;
  return () => redisBackend({ url: server.url, prefix: own });
}

describe("durable tasks in Redis", () => {
  durablePrograms(open);
  hostilePayloads(open);
});
