import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { durablePrograms } from "../support/durable-programs.js";
import { RedisServer } from "../support/redis-server.js";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe("durable tasks in Redis", () => {
  durablePrograms(() => {
    const prefix = `test-${randomUUID()}`;
    return () => redisBackend({ url: server.url, prefix });
  });
});
