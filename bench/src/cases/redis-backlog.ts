import assert from "node:assert/strict";
import type { BenchCase } from "../bench-case.js";
import { redisBackend } from "../millrace.js";
import { quantile } from "../quantile.js";
import { emptyRedis } from "../redis/bench-redis.js";

const CLAIMS = 500;
const LEASE_MS = 1_000;
const BATCH = 1_000;

/** The slowest hundredth of claims of 50, of a queue with so many tasks ready and so many leases expired. */
async function claimMs(ready: number, expired: number): Promise<number> {
  const { url } = await emptyRedis("off");
  const backend = redisBackend({ url });
  let requests = 0;
  const enqueue = async (count: number) => {
    for (let from = 0; from < count; from += BATCH) {
      const tasks = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => ({
        ...{
          id: `bench:${requests}-${index}`,
          handler: "noop",
          payload: new Uint8Array(100),
          envelope: '{"v":1}',
        },
        ...{ priority: 0, weight: 1, cost: 1, maxDeliveries: 1_000, delayMs: 0 },
        ...{ runAt: undefined, idempotency: undefined },
      }));
      await backend.enqueue(`e${requests++}`, tasks);
    }
  };
  const claim = (slots: number, leaseMs: number) =>
    backend.claim({
      ...{ requestId: `c${requests++}`, queue: "bench", leaseMs, slots: [slots] },
      ...{ permits: Number.POSITIVE_INFINITY, handlers: [{ name: "noop", lane: 0, room: slots }] },
    });
  await enqueue(expired);
  for (let left = expired; left > 0; ) left -= (await claim(Math.min(left, 1_000), LEASE_MS)).tasks.length;
  await enqueue(ready);
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 100));
  const durations: number[] = [];
  for (let count = 0; count < CLAIMS; count += 1) {
    const at = performance.now();
    const { tasks } = await claim(50, 600_000);
    durations.push(performance.now() - at);
    assert.ok(tasks.length > 0 || ready < CLAIMS * 50);
  }
  await backend.close();
  return quantile(
    durations.sort((a, b) => a - b),
    0.99,
  );
}

export const redisBacklog: BenchCase = {
  name: "redis-backlog",
  what: "p99 of a claim of 50 with a million tasks ready and 100,000 leases expired, against 25,000 and 1,000",
  unit: "ms",
  better: "lower",
  rounds: 1,
  contestants: [
    { name: "millrace", once: true, run: () => claimMs(1_000_000, 100_000) },
    { name: "millrace@small", run: () => claimMs(25_000, 1_000) },
  ],
  goals: [{ of: "millrace", to: "millrace@small", floor: 2, aim: 1.5 }],
};
