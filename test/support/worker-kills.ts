import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { DurableRun } from "./durable-run.js";
import type { RedisServer } from "./redis-server.js";

export interface WorkerKills {
  readonly server: RedisServer;
  readonly seed: number;
  readonly forMs: number;
}

export interface WorkerFreezes {
  readonly server: RedisServer;
  readonly seed: number;
  readonly rounds: number;
}

const FROZEN_LEASE_MS = 1_000;

const WORKERS = 4;
const LEASE_MS = 1_500;
const KILL_EVERY_MS = 300;
const TASKS_PER_SECOND = 200;

/** K1: worker processes work off a steady load, and all the time one of them is killed. */
export async function runWorkerKills({ server, seed, forMs }: WorkerKills) {
  const run = await DurableRun.start({ server, seed, workers: WORKERS, leaseMs: LEASE_MS });
  try {
    const endAt = performance.now() + forMs;
    const isOver = () => performance.now() >= endAt;
    const produced = run.producer.run(TASKS_PER_SECOND, isOver);
    for (; !isOver(); await delay(KILL_EVERY_MS)) run.fleet.killOne(() => run.random.next());
    await produced;
    await run.drained();
    const { duplicates, starts } = await run.expectSound();
    const kills = run.fleet.killed.size;
    const tasks = run.producer.accepted.size;
    console.log(`${kills} kills, ${tasks} tasks, ${starts} starts: ${JSON.stringify(duplicates)}`);
    expect(duplicates.killed).toBeLessThanOrEqual(run.mostByKills);
    expect(starts - tasks).toBeGreaterThan(0); // kills have met running tasks
    return { kills, tasks };
  } finally {
    await run[Symbol.asyncDispose]();
  }
}

/** K6: processes that stand still for longer than their leases, while others go on. */
export async function runWorkerFreezes({ server, seed, rounds }: WorkerFreezes) {
  await using run = await DurableRun.start({ server, seed, workers: 3, leaseMs: FROZEN_LEASE_MS });
  let isOver = false;
  const produced = run.producer.run(40, () => isOver, [200, 600]);
  await run.resumed();
  for (let round = 0; round < rounds; round++) {
    const thaw = run.fleet.freeze(1 + Math.floor(run.random.next() * 2), await run.whoRuns(1));
    await delay(3 * FROZEN_LEASE_MS);
    thaw();
    await run.resumed();
  }
  isOver = true;
  await produced;
  await run.drained();
  const { duplicates, starts } = await run.expectSound();
  console.log(`${rounds} times frozen, ${starts} starts: ${JSON.stringify(duplicates)}`);
  return duplicates;
}
