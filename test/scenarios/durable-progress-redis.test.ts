import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since threads run compiled code.
import { redisBackend } from "../../dist/adapters/redis/index.js";
import { defineHandlers, json, type TaskContext, TaskManager } from "../../dist/index.js";
import { RedisServer } from "../support/redis-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { inThread } from "../support/threads.js";

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const LEASE_MS = 2_000;

/** Processes of one store, of which some run what others enqueue. */
function createProcesses() {
  const prefix = `test-${randomUUID()}`;
  const contexts: TaskContext[] = [];
  const ends: (() => void)[] = [];
  const handlers = defineHandlers({
    held: {
      payload: json<null>(),
      run: (_, context) => {
        contexts.push(context);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
    },
    tells: inThread("durable.mjs", "tellOften", { payload: json<number>() }),
  });
  const start = ({ consume = true, url = server.url } = {}) => {
    const tasks = new TaskManager({
      ...{ handlers, leaseMs: LEASE_MS, killAfterMs: 60_000, threads: { max: 1 } },
      consume: consume ? "all" : false,
      backend: redisBackend({ url, prefix, commandTimeoutMs: LEASE_MS / 4 }),
    });
    onTestFinished(async () => {
      for (const end of ends) end();
      await tasks.stopNow();
    });
    return tasks;
  };
  return { contexts, ends, start };
}

/** Resolves when it holds, which is looked at again and again. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await delay(20);
}

describe("progress of durable tasks in Redis", { timeout: 60_000 }, () => {
  test("is seen from another process while the task runs, and stays when it has ended", async () => {
    const { contexts, ends, start } = createProcesses();
    const producer = start({ consume: false });
    start();
    const handle = await producer.enqueueDurable("held", null);
    await until(() => contexts.length === 1);
    expect(await handle.progress()).toBeUndefined();
    for (let step = 1; step <= 3; step++) {
      contexts[0]?.progress({ step, of: "drei Schritten, größte zuerst" });
      await until(async () => ((await handle.progress()) as { step: number } | undefined)?.step === step);
    }
    contexts[0]?.progress(undefined);
    contexts[0]?.progress("the last word");
    ends[0]?.();
    await handle.result();
    expect(await handle.progress()).toBe("the last word");
  });

  test("is there to its last word where Redis does not know the script yet that takes it up", async () => {
    const { contexts, ends, start } = createProcesses();
    const tasks = start();
    const raw = new Redis(server.url);
    onTestFinished(() => raw.disconnect());
    for (let run = 0; run < 40; run += 2) {
      const first = await tasks.enqueueDurable("held", null);
      const second = await tasks.enqueueDurable("held", null);
      await until(() => contexts.length === run + 2);
      await raw.script("FLUSH");
      ends[run]?.();
      await first.result(); // from now on Redis knows the script that ends tasks
      contexts[run + 1]?.progress(run);
      if (run % 4 === 0) await delay(0); // then it is on its way already when the task ends
      ends[run + 1]?.();
      await second.result();
      expect(await second.progress()).toBe(run);
    }
  });

  test("comes from threads too, and a flood of it is written a few times", async () => {
    const { start } = createProcesses();
    const producer = start({ consume: false });
    const worker = start();
    const handle = await producer.enqueueDurable("tells", 1_000_000);
    expect(await handle.result()).toBe(1_000_000);
    expect(await handle.progress()).toEqual({ told: 1_000_000 });
    const { lastClaimAgoMs, calls } = worker.stats().durable;
    expect(lastClaimAgoMs).toBeDefined();
    expect(calls.extend.count).toBeLessThan(100);
  });

  test("of a holder that is too late changes nothing (I4)", async () => {
    const { contexts, start } = createProcesses();
    let isCut = false;
    await using proxy = await TcpProxy.start(server.port, () => (isCut ? "black-hole" : undefined));
    const former = start({ url: proxy.url });
    const handle = await former.enqueueDurable("held", null);
    await until(() => contexts.length === 1);
    contexts[0]?.progress("by the first");
    await until(async () => (await handle.progress()) === "by the first");
    isCut = true;
    contexts[0]?.progress("on its way when the lease ends");
    const other = start();
    await until(() => contexts.length === 2);
    contexts[1]?.progress("by the second");
    const seen = other.handle("held", handle.id);
    await until(async () => (await seen.progress()) === "by the second");
    isCut = false;
    await until(() => contexts[0]?.signal.aborted === true);
    await until(async () => {
      contexts[0]?.progress("far too late");
      return (await handle.progress().catch(() => undefined)) === "by the second";
    });
    expect(contexts[0]?.signal.reason).toMatchObject({ code: "MILLRACE_LEASE_LOST" });
    expect(await seen.progress()).toBe("by the second");
    expect(former.stats().durable.leasesLost).toBe(1);
  });
});
