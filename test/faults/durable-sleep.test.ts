import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { DurableRun } from "../support/durable-run.js";
import { RedisServer } from "../support/redis-server.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));
const LEASE_MS = 1_000;
const WORKERS = 2;
/** Many leases, and many times what anything waits. */
const ASLEEP_MS = 8 * LEASE_MS;

/** Whoever waits for work asks for it a few times a second, and is told of what comes. */
const MOST_CALLS_PER_SECOND = 150;

test(`T5: a machine that sleeps for long loses the leases that it held once, and wakes without a storm (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  await using server = await RedisServer.start();
  await using run = await DurableRun.start({ server, seed: SEED, workers: WORKERS, leaseMs: LEASE_MS });
  const client = new Redis(server.url);
  let isOver = false;
  const produced = run.producer.run(10, () => isOver, [300, 900]);
  await run.resumed();
  const thaw = run.fleet.freeze(WORKERS);
  server.pause();
  await delay(ASLEEP_MS); // what happens in real time, while nobody does anything
  server.proceed();
  const [since, before] = [performance.now(), await calls(client)];
  thaw();
  await run.resumed();
  await delay(1_000); // a storm would be over this
  const perSecond = ((await calls(client)) - before) / ((performance.now() - since) / 1_000);
  isOver = true;
  await produced;
  await run.drained();
  const { duplicates, starts } = await run.expectSound();
  client.disconnect();
  const tasks = run.producer.accepted.size;
  console.log(JSON.stringify({ tasks, starts, perSecond, ...duplicates }));
  expect(perSecond).toBeLessThan(MOST_CALLS_PER_SECOND);
  expect(starts - tasks).toBeLessThanOrEqual(run.mostHeld);
});

/** How many scripts Redis has run. */
async function calls(client: Redis): Promise<number> {
  const stats = await client.info("commandstats");
  const counts = [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}
