import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../src/index.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";

const TASKS = 1_200;
const CONCURRENCY = 100;
/** What a task takes by itself: as long as two round trips to the slow Redis. */
const WORK_MS = 100;
const ROUND_TRIP_MS = 50;
const LEASE_MS = 6_000;

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Works off a backlog over this way to Redis. */
async function workOff(prefix: string, url: string) {
  const lost: string[] = [];
  const handlers = defineHandlers({ work: { payload: json<number>(), run: () => delay(WORK_MS) } });
  const backend = redisBackend({ url, prefix, commandTimeoutMs: 1_900, renewal: false });
  const tasks = new TaskManager({
    ...{ handlers, backend, leaseMs: LEASE_MS, concurrency: CONCURRENCY, autoStart: false },
    hooks: { onLeaseLost: ({ id }) => lost.push(id), onAckUnknown: ({ id }) => lost.push(id) },
  });
  onTestFinished(async () => {
    await tasks.stopNow();
    expect(await auditRedis(client, prefix)).toEqual([]);
  });
  await tasks.enqueueDurableMany(Array.from({ length: TASKS }, (_, n) => ["work", n] as const));
  const since = performance.now();
  tasks.start();
  while (tasks.stats().total.completed < TASKS) await delay(10);
  const tookMs = performance.now() - since;
  const [counts] = await backend.inspector.counts(["default"]);
  expect(counts).toMatchObject({ ready: 0, leased: 0, finished: TASKS });
  return { tookMs, starts: tasks.stats().total.started, lost };
}

describe("a Redis that is far away", { timeout: 120_000 }, () => {
  test("F19: with 50 ms for each round trip, work goes on at 40 % of its pace at least, and no lease is lost", async () => {
    const near = await workOff("near", server.url);
    await using proxy = await TcpProxy.start(server.port, ({ kind }) =>
      kind === "reply" ? { delayMs: ROUND_TRIP_MS } : undefined,
    );
    const far = await workOff("far", proxy.url);
    console.log(JSON.stringify({ near: near.tookMs, far: far.tookMs, commands: proxy.counts.command }));
    expect(near.tookMs / far.tookMs).toBeGreaterThan(0.4);
    for (const { lost, starts } of [near, far]) expect([lost, starts]).toEqual([[], TASKS]);
    expect(proxy.counts.command).toBeLessThan(TASKS / 2); // they travel together
  });
});
