import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since threads run compiled code.
import { redisBackend } from "../../dist/adapters/redis/index.js";
import { type Backend, defineHandlers, json, memoryBackend, TaskManager } from "../../dist/index.js";
import { RedisServer } from "../support/redis-server.js";
import { inThread } from "../support/threads.js";

/** Long enough that a crowded machine renews in time. */
const LEASE_MS = 2_000;
const MAX_BLOCKED_MS = 1_000;

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(() => server[Symbol.asyncDispose]());

const HANDLERS = ["spins", "spinsAndTells", "awaitsForEver", "waits"] as const;

const payload = json<number>();
const held = defineHandlers(
  Object.fromEntries(
    HANDLERS.map((name) => [name, inThread("stuck.mjs", name, { payload, timeoutMs: false })]),
  ),
);

type Way = (typeof HANDLERS)[number];

const EVERY_WAY: readonly Way[] = ["spins", "spinsAndTells", "awaitsForEver"];

/** What makes the backends of two processes, and in what ways a thread is stuck there. */
const STORES: readonly [string, readonly Way[], () => () => Backend][] = [
  ["Redis, renewed in a thread", EVERY_WAY, () => () => redisBackend({ url: server.url })],
  [
    "Redis, renewed on the event loop",
    ["spinsAndTells"],
    () => () => redisBackend({ url: server.url, renewal: false }),
  ],
  [
    "memory",
    ["spins"],
    () => {
      const store = memoryBackend();
      return () => store.connect();
    },
  ],
];

/** A manager with one thread, and a rival that runs whatever the store gives to another. */
function scene(connect: () => Backend) {
  const queue = `q-${randomUUID()}`;
  const told: string[] = [];
  const waiting = new Set<() => void>();
  const tell = (line: string) => {
    told.push(line);
    for (const look of waiting) look();
  };
  const common = {
    ...{ consume: [queue], queues: { [queue]: {} }, leaseMs: LEASE_MS, maxBlockedMs: MAX_BLOCKED_MS },
  };
  const holder = new TaskManager({
    ...{ ...common, handlers: held, backend: connect(), threads: { max: 1 }, killAfterMs: 100 },
    hooks: {
      onProgress: () => tell("begun"),
      onLeaseLost: () => tell("lease lost"),
      onWorkerExited: ({ reason }) => tell(`thread ${reason}`),
    },
  });
  const run = () => tell("taken");
  const rival = new TaskManager({
    ...{ ...common, backend: connect(), autoStart: false },
    handlers: defineHandlers(Object.fromEntries(HANDLERS.map((name) => [name, { payload, run }]))),
  });
  onTestFinished(async () => {
    await Promise.all([holder.stopNow(), rival.stopNow()]);
  });
  /** Resolves when that was told. */
  const heard = (line: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!told.includes(line)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const enqueue = async (handler: Way, takesMs: number) =>
    await holder.enqueueDurable(handler, takesMs, { queue });
  return { enqueue, heard, holder, queue, rival, told };
}

describe.each(STORES)("a task without a timeout in a thread, in %s", (_, ways, store) => {
  test.each(ways)(
    "that %s is given to another, and its slot comes back (D2)",
    async (handler) => {
      const { enqueue, heard, holder, queue, rival, told } = scene(store());
      const handle = await enqueue(handler, 0);
      await heard("begun");
      await holder.pause({ queue }); // else it might be the one that gets it
      const begunAt = performance.now();
      rival.start();
      await heard("taken");
      expect(performance.now() - begunAt).toBeGreaterThan(MAX_BLOCKED_MS);
      await Promise.all([heard("lease lost"), heard("thread killed"), handle.result()]);
      expect(told.filter((line) => line === "taken" || line === "lease lost")).toHaveLength(2);
      expect(holder.stats().total).toMatchObject({ started: 1, completed: 0 });
      // The thread that came in its place counts where that one did: its silence is no matter of the next task.
      holder.resume({ queue });
      await rival.pause({ queue });
      const next = await enqueue("waits", handler === "spins" ? MAX_BLOCKED_MS + LEASE_MS : 0);
      expect(await next.result()).toBe("waited");
      expect(holder.stats().total).toMatchObject({ started: 2, completed: 1 });
    },
    60_000,
  );

  test("that lets its event loop turn keeps its lease, however long it takes (D7)", async () => {
    const { enqueue, heard, holder, rival, told } = scene(store());
    const handle = await enqueue("waits", MAX_BLOCKED_MS + 2 * LEASE_MS);
    await heard("begun");
    rival.start();
    expect(await handle.result()).toBe("waited");
    expect(told.filter((line) => line !== "begun")).toEqual([]);
    expect(holder.stats().total).toMatchObject({ started: 1, completed: 1 });
  }, 60_000);
});
