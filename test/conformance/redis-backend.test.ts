import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type BackendSubject, backendConformance } from "../../src/testing/index.js";
import { RedisServer } from "../support/redis-server.js";
import { redisSubject } from "../support/redis-subject.js";
import { leastUser } from "../support/redis-user.js";

let server: RedisServer;
let client: Redis;
let subject: BackendSubject;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
  subject = redisSubject({ url: await leastUser(client, server.url, "test-*") }, client);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

describe("redisBackend, as a user who may do no more than it needs (V9)", () => {
  const later: BackendSubject = { leaseMs: 400, open: (limits) => subject.open(limits) };
  for (const { name, run } of backendConformance(later)) test.concurrent(name, run);
});
