import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { crowding } from "./crowding.js";
import { DurableRun } from "./durable-run.js";
import { RedisServer } from "./redis-server.js";

export interface StoreKills {
  readonly seed: number;
  readonly kills: number;
}

const WORKERS = 2;
const LEASE_MS = 2_000;
const TASKS_PER_SECOND = 200;

/** Redis is up for so long between kills, at least and at most. */
const UP_MS = [500, 1_500] as const;
/** It is away for so long; at the longest, leases end meanwhile. */
const DOWN_MS = [0, 2_500] as const;

/** From the moment at which Redis takes commands again until a task is claimed and done. */
const RESUME_MS = 2_000;

/**
 * F1: Redis, which writes to its append-only file, is killed again and again under load, and comes back. It
 * syncs always: with `everysec` it answers before it writes while a sync is under way, up to two seconds, and
 * its death may then cost what was answered.
 */
export async function runStoreKills({ seed, kills }: StoreKills) {
  await using server = await RedisServer.start({ appendOnly: "always" });
  await using run = await DurableRun.start({ server, seed, workers: WORKERS, leaseMs: LEASE_MS });
  const { random } = run;
  const between = ([least, most]: readonly [number, number]) => least + random.next() * (most - least);
  let isOver = false;
  let slowestMs = 0;
  const produced = run.producer.run(TASKS_PER_SECOND, () => isOver);
  for (let killed = 0; killed < kills; killed++) {
    await delay(between(UP_MS));
    await server.kill();
    await delay(between(DOWN_MS));
    await server.restart();
    slowestMs = Math.max(slowestMs, await run.resumed());
  }
  await delay(UP_MS[0]);
  isOver = true;
  await produced;
  await run.drained();
  const { duplicates, starts } = await run.expectSound();
  const { accepted, failures, recovered } = run.producer;
  const figures = { kills, tasks: accepted.size, starts, duplicates, recovered, slowestMs };
  console.log(JSON.stringify({ ...figures, failures: Object.fromEntries(failures) }));
  expect(slowestMs).toBeLessThan(RESUME_MS * crowding());
  return figures;
}
