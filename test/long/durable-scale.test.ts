import { afterAll, beforeAll, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, QueueFullError, StoreUnreachableError, TaskManager } from "../../src/index.js";
import { LONG_MS } from "../../src/testing/conformance/backend/backend-trial.js";
import { newTasks } from "../../src/testing/conformance/backend/stored-things.js";
import { crowding } from "../support/crowding.js";
import { RedisScene } from "../support/redis-scene.js";
import { RedisServer } from "../support/redis-server.js";

const PER_CALL = 1_000;
const LONGEST_SCRIPT_US = 10_000;

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(() => server[Symbol.asyncDispose]());

/** Keeps so many tasks, many at a time. */
async function keep(scene: RedisScene, count: number, name: string, delayMs = 0): Promise<void> {
  for (let from = 0; from < count; from += PER_CALL)
    await scene.backend.enqueue(`${name}-${from}`, newTasks(PER_CALL, { delayMs }, `q:${name}-${from}`));
}

/** Makes all leases or delays of the queue `q` end at one instant that has passed. */
async function endAll(scene: RedisScene, index: "leased" | "delayed"): Promise<void> {
  const members = await scene.raw.zrange(scene.key(index), "0", "-1");
  for (let from = 0; from < members.length; from += PER_CALL)
    await scene.raw.zadd(
      scene.key(index),
      ...members.slice(from, from + PER_CALL).flatMap((one) => [1, one]),
    );
}

/** The p-quantile of what was measured. */
function quantile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * p)] as number;
}

test("D14: with a million ready and 100,000 expired leases a claim stays short, and reclaims a hundred", async () => {
  const scene = await RedisScene.open(server);
  await keep(scene, 100_000, "expired");
  for (let claimed = 0; claimed < 100_000; )
    claimed += (await scene.claim({ leaseMs: LONG_MS })).tasks.length;
  await endAll(scene, "leased");
  await keep(scene, 1_000_000, "ready");
  await scene.raw.config("SET", "slowlog-log-slower-than", String(LONGEST_SCRIPT_US * Math.ceil(crowding())));
  await scene.raw.slowlog("RESET");
  const [tookMs, reclaims]: [number[], number[]] = [[], []];
  for (let count = 0; count < 1_000; count++) {
    const startedAt = performance.now();
    const { reclaimed } = await scene.claim({ slots: [1], leaseMs: LONG_MS });
    tookMs.push(performance.now() - startedAt);
    reclaims.push(reclaimed);
  }
  expect([Math.max(...reclaims), Math.min(...reclaims)]).toEqual([100, 100]);
  expect(await scene.raw.slowlog("LEN")).toBe(0);
  expect(quantile(tookMs, 0.99)).toBeLessThan(5 * crowding());
  expect(await scene.counts()).toEqual({ ready: 1_099_000, leased: 1_000 });
  await scene.close();
});

test("D22: 100,000 tasks that fall due in the same millisecond are promoted a hundred at a time, none lost", async () => {
  const scene = await RedisScene.open(server);
  await keep(scene, 100_000, "due", LONG_MS);
  await endAll(scene, "delayed");
  const claimed = new Set<string>();
  for (let left = 100_000; left > 0; ) {
    const before = (await scene.counts()).delayed ?? 0;
    const { tasks } = await scene.claim({ leaseMs: LONG_MS });
    const after = (await scene.counts()).delayed ?? 0;
    expect(before - after).toBe(Math.min(100, before));
    for (const { id } of tasks) claimed.add(id);
    left -= tasks.length;
  }
  expect(claimed.size).toBe(100_000);
  expect(await scene.counts()).toEqual({ leased: 100_000 });
  await scene.audit();
  await scene.close();
});

test("F18: of 200,000 calls while Redis is away few wait, the rest is refused, and memory stays", async () => {
  await using gone = await RedisServer.start();
  const handlers = defineHandlers({ work: { payload: json<null>(), run: () => {} } });
  const backend = redisBackend({ url: gone.url });
  const tasks = new TaskManager({ handlers, backend, consume: false, capacity: 2_000 });
  await tasks.enqueueDurable("work", null);
  await gone.kill();
  const rss: number[] = [];
  for (let wave = 0; wave < 10; wave++) {
    const [unreachable, full] = await callMany(20_000);
    expect([unreachable, full]).toEqual([2_000, 18_000]);
    rss.push(process.memoryUsage.rss());
  }
  const [, second = 0] = rss;
  expect((rss.at(-1) ?? 0) - second).toBeLessThan(64 * 1_024 * 1_024);
  await tasks.stopNow();

  /** How many of them met that Redis is away, and how many that too many wait already. */
  async function callMany(count: number): Promise<readonly [number, number]> {
    const ends = await Promise.allSettled(
      Array.from({ length: count }, () => tasks.enqueueDurable("work", null)),
    );
    const reasons = ends.map((end) => (end.status === "rejected" ? end.reason : undefined));
    const countOf = (type: new (...given: never[]) => Error) =>
      reasons.filter((reason) => reason instanceof type).length;
    return [countOf(StoreUnreachableError), countOf(QueueFullError)];
  }
});
