import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../src/index.js";
import { startChild } from "../support/child-process.js";
import { crowding } from "../support/crowding.js";
import { DurableRun } from "../support/durable-run.js";
import { FalseClock } from "../support/false-clock.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));
const WORKERS = 3;
const HOUR_MS = 3_600_000;
/** On a crowded machine, longer: a renewal must have its turn within it. */
const LEASE_MS = Math.ceil(1_000 * Math.min(3, crowding()));
/** More than go into a lease. */
const RENEWALS = 5;
const HOLDER = fileURLToPath(new URL("../fixtures/durable/holder.mjs", import.meta.url));

function contract() {
  return defineHandlers({
    hold: { payload: json<null>() },
    letGo: { payload: json<null>() },
    stumble: { payload: json<null>() },
  });
}

/** A process that holds a task, and whoever gives it others. */
async function hold(server: RedisServer, environment: Readonly<Record<string, string>> = {}) {
  const prefix = `clock-${randomUUID()}`;
  const holder = startChild([process.execPath, HOLDER, server.url, prefix, String(LEASE_MS)], {
    environment,
  });
  const backend = redisBackend({ url: server.url, prefix, commandTimeoutMs: 5_000 });
  const tasks = new TaskManager({ handlers: contract(), backend, consume: false });
  onTestFinished(async () => {
    holder.process.kill("SIGKILL");
    await tasks.stopNow();
  });
  await holder.hasWritten("ready");
  const held = await tasks.enqueueDurable("hold", null);
  await holder.hasWritten("holds");
  let stumbles = 0;
  return {
    holder,
    /** Another task waits, fails and is retried; and then the lease is renewed for longer than it lasts. */
    async goesOn() {
      const stumbled = await tasks.enqueueDurable("stumble", null, { delayMs: 100 });
      expect(await stumbled.result()).toBe(2);
      await holder.hasWritten(`renewed ${RENEWALS} after ${++stumbles}`);
    },
    /** How often the task that is held has been given out. */
    async deliveries() {
      const [stored] = await backend.inspector.read([held.id]);
      return stored?.deliveries;
    },
    /** Ends everything, which has to be as it should. */
    async end() {
      await tasks.enqueueDurable("letGo", null);
      await held.result();
      holder.process.kill("SIGTERM");
      const { code, stdout, stderr } = await holder.ended;
      expect({ code, stderr }).toEqual({ code: 143, stderr: "" }); // of SIGTERM
      expect(stdout).toMatch(/^stopped$/m);
      const client = new Redis(server.url);
      expect(await auditRedis(client, prefix).finally(() => client.disconnect())).toEqual([]);
      return stdout;
    },
  };
}

test("T1: a process whose clock is set by hours, ahead and back, keeps its lease and goes on", {
  timeout: 120_000,
}, async () => {
  await using server = await RedisServer.start();
  await using clock = await FalseClock.create();
  const scene = await hold(server, clock.environment);
  for (const hours of [1, -1, 2, 0]) {
    await clock.set(hours * HOUR_MS);
    await scene.holder.hasWritten(`hours ${hours}`);
    await scene.goesOn();
  }
  expect(await scene.deliveries()).toBe(1);
  expect(await scene.end()).not.toMatch(/lost|aborted/);
});

test("T3: while the clock of Redis is set back by hours, a lease is kept; ahead, it is lost at most once", {
  timeout: 120_000,
}, async () => {
  await using clock = await FalseClock.create();
  await using server = await RedisServer.start({ environment: clock.environment });
  const scene = await hold(server);
  for (const hours of [-1, -3]) {
    await clock.set(hours * HOUR_MS);
    expect(await hoursOf(server)).toBe(hours);
    await scene.goesOn();
  }
  expect(await scene.deliveries()).toBe(1);
  await clock.set(HOUR_MS);
  expect(await hoursOf(server)).toBe(1);
  await scene.goesOn();
  expect(await scene.deliveries()).toBeLessThanOrEqual(2);
  const lost = (await scene.end()).match(/^lost .*$/gm) ?? [];
  expect(lost.length).toBeLessThanOrEqual(1);
});

/** By how many hours the clock of a Redis is off. */
async function hoursOf(server: RedisServer): Promise<number> {
  const client = new Redis(server.url);
  try {
    const [seconds = 0] = (await client.time()).map(Number);
    return Math.round((seconds * 1_000 - Date.now()) / HOUR_MS);
  } finally {
    client.disconnect();
  }
}

test(`T3: the clock of Redis is set by an hour while processes die: no task waits longer than a lease (seed ${SEED})`, {
  timeout: 150_000,
}, async () => {
  await using clock = await FalseClock.create();
  await using server = await RedisServer.start({ environment: clock.environment });
  await using run = await DurableRun.start({ server, seed: SEED, workers: WORKERS, leaseMs: LEASE_MS });
  let isOver = false;
  const produced = run.producer.run(50, () => isOver, [20, 300]);
  await run.resumed();
  let slowestMs = 0;
  for (const hours of [1, 0, -1]) {
    await expect.poll(() => run.fleet.ready().length, { timeout: 60_000 }).toBe(WORKERS);
    expect(run.fleet.kill(await run.whoRuns(2))).toBe(true); // its leases end by the clock as it was
    await clock.set(hours * HOUR_MS);
    slowestMs = Math.max(slowestMs, await run.resumed());
  }
  isOver = true;
  await produced;
  await run.drained();
  const { duplicates, starts } = await run.expectSound();
  console.log(`${starts} starts, resumed in ${Math.round(slowestMs)} ms: ${JSON.stringify(duplicates)}`);
  expect(duplicates.killed).toBeGreaterThan(0);
  expect(duplicates.killed).toBeLessThanOrEqual(run.mostByKills);
});
