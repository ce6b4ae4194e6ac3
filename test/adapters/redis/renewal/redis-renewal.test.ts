import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
// The compiled package, since the thread that renews runs compiled code.
import { redisBackend } from "../../../../dist/adapters/redis/index.js";
import type { LeaseRenewal, RenewedLease } from "../../../../dist/index.js";
import { RedisServer } from "../../../support/redis-server.js";

/** Long enough that a crowded machine renews in time. */
const LEASE_MS = 2_000;

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(() => server[Symbol.asyncDispose]());

/** A renewal with what it tells, and a queue of its own. */
function opened(url = server.url, maxBlockedMs = 60_000) {
  const queue = `q-${randomUUID()}`;
  const backend = redisBackend({ url });
  onTestFinished(() => backend.close());
  const told: string[] = [];
  const waiting = new Set<() => void>();
  const tell = (line: string) => {
    told.push(line);
    for (const look of waiting) look();
  };
  const renewal = backend.renewer?.open({
    ...{ leaseMs: LEASE_MS, maxBlockedMs },
    listener: {
      renewed: ({ id }, sentAgoMs, cancel) => tell(`renewed ${id} ${cancel ?? ""}${sentAgoMs < 0}`),
      refused: ({ id }) => tell(`refused ${id}`),
      failed: () => tell("failed"),
    },
  }) as LeaseRenewal;
  const claim = async () => {
    const request = { requestId: randomUUID(), queue, leaseMs: LEASE_MS, slots: [10], permits: 10 };
    const handlers = [{ name: "run", lane: 0, room: 10 }];
    return (await backend.claim({ ...request, handlers })).tasks;
  };
  const leased = async (): Promise<RenewedLease> => {
    const task = { id: `${queue}:a`, handler: "run", payload: new Uint8Array(), envelope: "{}", cost: 1 };
    const rest = { priority: 0, weight: 1, maxDeliveries: 10, delayMs: 0 };
    await backend.enqueue(randomUUID(), [{ ...task, ...rest, runAt: undefined, idempotency: undefined }]);
    const [lease] = await claim();
    return lease as RenewedLease;
  };
  /** Resolves when so many lines begin like this. */
  const heard = (start: string, count = 1) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (told.filter((line) => line.startsWith(start)).length < count) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { backend, claim, heard, leased, renewal, told };
}

test("renews a lease beyond its length, and no more when it is released", { timeout: 30_000 }, async () => {
  const { claim, heard, leased, renewal, told } = opened();
  const lease = await leased();
  renewal.keep([lease], LEASE_MS / 3);
  await heard("renewed", 5); // three take a lease
  expect(await claim()).toEqual([]);
  renewal.release(lease);
  await delay(1.5 * LEASE_MS);
  expect((await claim()).map(({ id, deliveries }) => [id, deliveries])).toEqual([[lease.id, 2]]);
  expect(told.every((line) => line === `renewed ${lease.id} false`)).toBe(true);
});

test("goes on while this thread turns, though it asks for nothing more", { timeout: 30_000 }, async () => {
  const { claim, heard, leased, renewal } = opened(server.url, LEASE_MS);
  const lease = await leased();
  renewal.keep([lease], LEASE_MS / 3);
  await heard("renewed", 9); // which takes three leases, and three times what it may be silent for
  expect(await claim()).toEqual([]);
});

test("leaves a lease to expire whose time is over, though it was not released", async () => {
  const { claim, leased, renewal } = opened();
  const lease = await leased();
  renewal.keep([lease], LEASE_MS / 3);
  renewal.limit(lease, 100, "nobody");
  await delay(1.5 * LEASE_MS);
  expect(await claim()).toHaveLength(1);
});

test("tells that somebody wants the task to be cancelled (C10)", async () => {
  const { backend, heard, leased, renewal } = opened();
  const lease = await leased();
  renewal.keep([lease], 0);
  await backend.cancel([{ id: lease.id, error: "the reason", resultTtlMs: 1_000 }]);
  await heard(`renewed ${lease.id} the reason`);
});

test("tells that a lease was lost, once", async () => {
  const { backend, heard, leased, renewal, told } = opened();
  const lease = await leased();
  await backend.nack([{ ...lease, kind: "hand-back", delayMs: 0, error: undefined }]);
  renewal.keep([lease], 0);
  await heard("refused");
  await delay(LEASE_MS);
  expect(told).toEqual([`refused ${lease.id}`]);
});

test("tells within `catchUp` what was renewed while this thread was blocked", async () => {
  const { heard, leased, renewal, told } = opened();
  const lease = await leased();
  renewal.keep([lease], 0);
  await heard("renewed");
  const before = told.length;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LEASE_MS);
  expect(told).toHaveLength(before);
  renewal.catchUp();
  expect(told.length).toBeGreaterThan(before);
});

test("begins while this thread is blocked from its first lease on", async () => {
  const { leased, renewal, told } = opened();
  renewal.keep([await leased()], 0);
  // On a crowded machine its thread may take more than a lease to start.
  for (let leases = 0; told.length === 0 && leases < 10; leases++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LEASE_MS);
    renewal.catchUp();
  }
  expect(told.length).toBeGreaterThan(0);
});

test("tells of a store that is away, and goes on when it is back", { timeout: 60_000 }, async () => {
  const own = await RedisServer.start({ appendOnly: "always" });
  onTestFinished(() => own[Symbol.asyncDispose]());
  const { heard, leased, renewal, told } = opened(own.url);
  const lease = await leased();
  renewal.keep([lease], 0);
  await heard("renewed");
  await own.kill();
  await heard("failed");
  const before = told.filter((line) => line.startsWith("renewed")).length;
  await own.restart();
  await heard("renewed", before + 1);
});

test("is over when it is closed, and closing it again does nothing", async () => {
  const workers: Worker[] = [];
  process.once("worker", (worker) => workers.push(worker));
  const { backend, heard, leased, renewal } = opened();
  renewal.keep([await leased()], 0);
  await heard("renewed");
  expect(renewal.active).toBe(true);
  await renewal.close();
  expect(workers).toHaveLength(1);
  expect(workers[0]?.threadId).toBe(-1); // it has exited
  expect(renewal.active).toBe(false);
  renewal.keep([{ id: "q:late", token: 1 }], 0);
  await Promise.all([renewal.close(), backend.close()]);
  expect(workers).toHaveLength(1);
});
