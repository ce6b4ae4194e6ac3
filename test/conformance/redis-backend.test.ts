import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { BackendSubject } from "../../src/testing/index.js";
import { backendConformance } from "../../src/testing/index.js";
import { RedisServer } from "../support/redis-server.js";
import { redisSubject } from "../support/redis-subject.js";

let server: RedisServer;
let client: Redis;
let subject: BackendSubject;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
  subject = redisSubject(server, client);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

describe("redisBackend", () => {
  const later: BackendSubject = { leaseMs: 400, open: (limits) => subject.open(limits) };
  for (const { name, run } of backendConformance(later)) test.concurrent(name, run);
});
