import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since the thread that renews runs compiled code.
import { redisBackend } from "../../dist/adapters/redis/index.js";
import { defineHandlers, json, TaskManager, type TaskManagerOptions } from "../../dist/index.js";
import { type RunningChild, startChild } from "../support/child-process.js";
import { crowding } from "../support/crowding.js";
import { RedisServer } from "../support/redis-server.js";

/** Long enough that a crowded machine renews in time. */
const LEASE_MS = Math.ceil(2_000 * Math.min(2.5, crowding()));
/** What three leases take, and a bit. */
const BLOCK_MS = 3 * LEASE_MS + 500;

const HOLDER = fileURLToPath(new URL("../fixtures/renewal/holder.mjs", import.meta.url));

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
});

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

const toHandlers = (run: (handler: string, token: number | undefined) => void) => {
  const entry = (name: string) => ({
    payload: json<{ blockMs?: number; spins?: boolean; takesMs?: number }>(),
    run: () => run(name, undefined),
  });
  return defineHandlers({ blocks: entry("blocks"), waits: entry("waits"), inThread: entry("inThread") });
};

/** One queue, a process that holds its leases, and a rival that runs whatever the store gives to another. */
async function scene(options: { blockMs?: number; maxBlockedMs?: number; timeoutMs?: number | false } = {}) {
  const queue = `q-${randomUUID()}`;
  const taken: string[] = [];
  let tellTaken = () => {};
  const wasTaken = new Promise<void>((resolve) => {
    tellTaken = resolve;
  });
  const holder = startChild([
    ...[process.execPath, HOLDER, server.url, queue],
    JSON.stringify({ leaseMs: LEASE_MS, ...options }),
  ]);
  onTestFinished(async () => {
    holder.process.kill("SIGKILL");
    await holder.ended;
  });
  await holder.hasWritten("ready");
  const handlers = toHandlers((handler) => {
    taken.push(handler);
    tellTaken();
  });
  const backend = redisBackend({ url: server.url, renewal: false });
  const rival = new TaskManager({
    ...{ handlers, backend, consume: [queue], queues: { [queue]: {} }, leaseMs: LEASE_MS, autoStart: false },
  });
  onTestFinished(async () => {
    await rival.stopNow();
  });
  /** Enqueues it, and lets the rival in once the holder has it. */
  const enqueue = async (
    name: "blocks" | "waits" | "inThread",
    payload: { blockMs?: number; spins?: boolean; takesMs?: number },
  ) => {
    const handle = await rival.enqueueDurable(name, payload, { queue });
    await holder.hasWritten("began");
    rival.start();
    return handle;
  };
  const read = async (id: string) => (await backend.inspector.read([id]))[0];
  return { enqueue, holder, read, rival, taken, wasTaken };
}

/** Ends the process in its own way, and gives what it had written. */
async function stopped(holder: RunningChild): Promise<string> {
  holder.process.kill("SIGTERM");
  await holder.hasWritten("stopped");
  return (await holder.ended).stdout;
}

async function renewalClients(): Promise<number> {
  const list = String(await client.client("LIST"));
  return list.split("\n").filter((line) => line.includes("name=millrace-renewal")).length;
}

describe("a main thread that is blocked for three leases", () => {
  test("loses none of a handler in a thread, which runs once (D8)", { timeout: 60_000 }, async () => {
    // However silent the main thread is: the task has a time of its own.
    const { enqueue, holder, read, taken } = await scene({ blockMs: BLOCK_MS, maxBlockedMs: 1_000 });
    const handle = await enqueue("inThread", { takesMs: 2 * LEASE_MS });
    const before = await read(handle.id);
    expect(before).toMatchObject({ place: "leased", deliveries: 1 });
    expect(await handle.result()).toBe(1);
    expect((await read(handle.id))?.token).toBe(before?.token);
    expect(await stopped(holder)).toBe("ready\nbegan\nunblocked\ncompleted at attempt 1\nstopped\n");
    expect(taken).toEqual([]);
  });

  test("loses none of one that has no timeout, whose thread turns (D8)", { timeout: 60_000 }, async () => {
    const { enqueue, holder, taken } = await scene({
      ...{ blockMs: BLOCK_MS, maxBlockedMs: 1_000, timeoutMs: false },
    });
    const handle = await enqueue("inThread", { takesMs: BLOCK_MS + LEASE_MS });
    expect(await handle.result()).toBe(1);
    expect(await stopped(holder)).toBe("ready\nbegan\nunblocked\ncompleted at attempt 1\nstopped\n");
    expect(taken).toEqual([]);
  });

  test("loses one whose thread is stuck and has no timeout either", { timeout: 60_000 }, async () => {
    const { enqueue, holder, taken, wasTaken } = await scene({
      ...{ blockMs: BLOCK_MS, maxBlockedMs: 1_000, timeoutMs: false },
    });
    const handle = await enqueue("inThread", { spins: true });
    await wasTaken;
    await handle.result();
    expect(taken).toEqual(["inThread"]);
    await holder.hasWritten("lost");
  });

  test("loses none of the inline handler that blocks it", { timeout: 60_000 }, async () => {
    const { enqueue, holder, taken } = await scene();
    const handle = await enqueue("blocks", { blockMs: BLOCK_MS });
    await handle.result();
    expect(await stopped(holder)).toBe("ready\nbegan\ncompleted at attempt 1\nstopped\n");
    expect(taken).toEqual([]);
  });
});

describe("a process that does not come back", () => {
  test("loses its lease when it is stopped, and hears of it (K6)", { timeout: 60_000 }, async () => {
    const { enqueue, holder, wasTaken } = await scene();
    const handle = await enqueue("waits", { takesMs: 50_000 });
    holder.process.kill("SIGSTOP");
    await wasTaken;
    await handle.result();
    holder.process.kill("SIGCONT");
    await holder.hasWritten("aborted MILLRACE_LEASE_LOST");
    expect(await stopped(holder)).toContain("lost\n");
  });

  test("loses it when its main thread is deadlocked for maxBlockedMs", { timeout: 60_000 }, async () => {
    const { enqueue, wasTaken, taken } = await scene({ maxBlockedMs: 1_000 });
    const blockedAt = performance.now();
    const handle = await enqueue("blocks", { blockMs: 50_000 });
    await wasTaken;
    expect(performance.now() - blockedAt).toBeGreaterThan(LEASE_MS);
    await handle.result();
    expect(taken).toEqual(["blocks"]);
  });
});

test("a task in a thread whose time is over is given up, though its process cannot see to that", {
  timeout: 60_000,
}, async () => {
  const { enqueue, wasTaken, taken } = await scene({ blockMs: 50_000, timeoutMs: 1_000 });
  const handle = await enqueue("inThread", { takesMs: 50_000 });
  await wasTaken;
  await handle.result();
  expect(taken).toEqual(["inThread"]);
});

type Run = (signal: AbortSignal) => Promise<unknown>;

/** A manager of this process whose leases are renewed in a thread. */
function managing(run: Run, options: Pick<TaskManagerOptions, "backend"> = {}) {
  const queue = `q-${randomUUID()}`;
  const workers: Worker[] = [];
  const watch = (worker: Worker) => workers.push(worker);
  process.on("worker", watch);
  const backend = redisBackend({ url: server.url });
  const tasks = new TaskManager({
    handlers: defineHandlers({ run: { payload: json<null>(), run: (_payload, { signal }) => run(signal) } }),
    ...{ backend, consume: [queue], queues: { [queue]: {} }, leaseMs: LEASE_MS, autoStart: false },
    ...options,
  });
  onTestFinished(async () => {
    await tasks.stopNow();
    process.off("worker", watch);
  });
  const enqueue = async () => {
    const handle = await tasks.enqueueDurable("run", null, { queue });
    tasks.start(); // what its first claim finds needs no signal
    return handle;
  };
  return { backend, enqueue, queue, tasks, workers };
}

/** Resolves when it holds, which is looked at again and again. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const aborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("the thread that renews", () => {
  test("is there from the first task on to the stop", async () => {
    const { enqueue, tasks, workers } = managing(async () => "done");
    expect(await renewalClients()).toBe(0);
    expect(workers).toEqual([]);
    expect(await (await enqueue()).result()).toBe("done");
    expect(workers).toHaveLength(1);
    const exited = new Promise((resolve) => workers[0]?.once("exit", resolve));
    await tasks.stopNow();
    await exited;
    await until(async () => (await renewalClients()) === 0);
  });

  test("is replaced when it dies, and costs no lease", { timeout: 60_000 }, async () => {
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { backend, enqueue, tasks, workers } = managing(() => held);
    const handle = await enqueue();
    for (let death = 1; death <= 3; death++) {
      await until(() => workers.length === death);
      await workers[death - 1]?.terminate();
    }
    await until(() => workers.length === 4);
    await until(async () => (await renewalClients()) === 1);
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS)); // leases are a matter of real time
    expect((await backend.inspector.read([handle.id]))[0]).toMatchObject({ place: "leased", deliveries: 1 });
    finish();
    await handle.result();
    expect(tasks.stats().total).toMatchObject({ completed: 1, started: 1 });
  });

  test("reports a lease that the store has given up", { timeout: 60_000 }, async () => {
    const reasons: unknown[] = [];
    const { enqueue, queue } = managing((signal) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return aborted(signal);
    });
    await enqueue();
    await until(async () => (await renewalClients()) === 1);
    const keys = await client.keys(`*:${queue}}:*`);
    await client.del(...keys);
    await until(() => reasons.length > 0);
    expect(reasons).toMatchObject([{ code: "MILLRACE_LEASE_LOST" }]);
  });

  test("is not there with `renewal: false`, and beside a client says so once", async () => {
    const lines: [unknown, string][] = [];
    const line = (fields: unknown, text: string) => lines.push([fields, text]);
    const logger = { debug: line, info: line, warn: line, error: line };
    const quiet = managing(async () => 1, {
      backend: redisBackend({ url: server.url, renewal: false, logger }),
    });
    await (await quiet.enqueue()).result();
    const spoken = managing(async () => 1, { backend: redisBackend({ client, logger }) });
    await (await spoken.enqueue()).result();
    expect([...quiet.workers, ...spoken.workers]).toEqual([]);
    expect(lines.filter(([, text]) => text.startsWith("leases are renewed on the event loop"))).toHaveLength(
      1,
    );
    const led = managing(async () => 1, {
      backend: redisBackend({ client, renewal: { url: server.url }, logger }),
    });
    await (await led.enqueue()).result();
    expect(led.workers).toHaveLength(1);
  });
});
