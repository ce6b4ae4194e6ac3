import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, StoreRefusedError, TaskManager } from "../../src/index.js";
import { LogRecorder } from "../support/log-recorder.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";
import { TcpProxy } from "../support/tcp-proxy.js";

/** However busy the machine is. */
const LONG = { timeout: 20_000 };

let closing: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of closing.reverse()) await one[Symbol.asyncDispose]();
  closing = [];
});

function closed<T extends AsyncDisposable>(one: T): T {
  closing.push(one);
  return one;
}

async function startServer(settings: Readonly<Record<string, string>> = {}) {
  const server = closed(await RedisServer.start({ settings }));
  const client = new Redis(server.url);
  closing.push({ [Symbol.asyncDispose]: async () => client.disconnect() });
  return { client, server };
}

function manage(url: string) {
  const log = new LogRecorder();
  const runs = new Map<number, number>();
  const handlers = defineHandlers({
    work: { payload: json<number>(), run: (n) => void runs.set(n, (runs.get(n) ?? 0) + 1) },
    size: { payload: json<string>(), run: (text) => text.length },
  });
  const backend = redisBackend({ url, commandTimeoutMs: 600, renewal: false, logger: log });
  const tasks = closed(new TaskManager({ handlers, backend, leaseMs: 2_000, autoStart: false, logger: log }));
  return { backend, log, runs, tasks };
}

/** Calls until the store has taken it, and gives how it ended. */
async function insist(tasks: ReturnType<typeof manage>["tasks"], n: number): Promise<unknown> {
  for (;;) {
    try {
      const handle = await tasks.enqueueDurable("work", n, { idempotencyKey: `n${n}` });
      return await handle.result({ timeoutMs: 5_000 });
    } catch {
      await delay(50);
    }
  }
}

describe("versions of Redis", { timeout: 60_000 }, () => {
  /** A Redis that says of itself what another one would. */
  async function sayingOf(facts: () => string) {
    const { client, server } = await startServer();
    const proxy = await TcpProxy.start(server.port, ({ kind, bytes }) => {
      const told = bytes.toString();
      if (kind !== "reply" || !told.includes("redis_version:")) return undefined;
      const text = told.slice(told.indexOf("\r\n") + 2, -2).replace(/redis_version:[^\r]*/, facts());
      return { instead: `$${Buffer.byteLength(text)}\r\n${text}\r\n` };
    });
    return { client, proxy: closed(proxy) };
  }

  test.each([
    ["7.0", "redis_version:7.0.0"],
    ["7.2", "redis_version:7.2.5"],
    ["7.4", "redis_version:7.4.1"],
    ["8.0", "redis_version:8.0.0"],
    ["Valkey 8.1", "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0"],
  ])("F22: %s is used", async (_, facts) => {
    const { client, proxy } = await sayingOf(() => facts);
    const { log, tasks } = manage(proxy.url);
    tasks.start();
    await insist(tasks, 1);
    await expect.poll(() => log.ends.length, LONG).toBeGreaterThan(0); // that it keeps no file
    expect(log.ends.filter((line) => line.includes("version"))).toEqual([]);
    expect(await auditRedis(client, "millrace")).toEqual([]);
  });

  test.each(["6.2.14", "5.0.3"])(
    "F22: %s is refused with an error that says so, and replaced by 7.0 it is used",
    async (old) => {
      let version = old;
      const { client, proxy } = await sayingOf(() => `redis_version:${version}`);
      const { log, tasks } = manage(proxy.url);
      tasks.start();
      const told = () => tasks.enqueueDurable("work", 1).catch((error: unknown) => error);
      await expect.poll(told, LONG).toBeInstanceOf(StoreRefusedError);
      expect(await told()).toMatchObject({
        code: "MILLRACE_STORE_REFUSED",
        message: `Redis is of version ${old}, and Millrace needs 7.0 or later`,
      });
      expect(log.ends).toContain("error: this version of Redis is too old");
      version = "7.0.15";
      await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); // as when it is replaced
      await insist(tasks, 2);
      expect(await auditRedis(client, "millrace")).toEqual([]);
    },
  );

  test("F22: which are needed is documented", () => {
    const page = readFileSync(new URL("../../src/adapters/redis/README.md", import.meta.url), "utf8");
    expect(page.match(/Redis \*\*[^*]*\*\*/)?.[0]).toBe("Redis **7.0 or later**");
  });
});

describe("a Redis that somebody else has his hands in", { timeout: 60_000 }, () => {
  test("F17: told at run time to evict what it likes, it is found out, and what it has left is worked off", async () => {
    const { client, server } = await startServer();
    const { log, runs, tasks } = manage(server.url);
    const text = "x".repeat(10_000);
    for (let n = 0; n < 10; n++)
      await tasks.enqueueDurableMany(Array.from({ length: 40 }, () => ["size", `${n}${text}`] as const));
    expect(log.ends.filter((line) => line.includes("evict"))).toEqual([]);
    const used = Number((await client.info("memory")).match(/^used_memory:(\d+)/m)?.[1]);
    await client.config("SET", "maxmemory-policy", "allkeys-random", "maxmemory", String(used - 1_000_000));
    await expect.poll(async () => client.info("stats"), LONG).toMatch(/evicted_keys:[1-9]/);
    await client.config("SET", "maxmemory", "0");
    await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); // else it is looked at after 30 s
    tasks.start();
    expect(await insist(tasks, 1)).toBeUndefined();
    await expect
      .poll(() => log.ends, LONG)
      .toContain("error: Redis may evict tasks when its memory is full: set maxmemory-policy to noeviction");
    const keys = async () => (await client.keys("{millrace:*")).length;
    await expect.poll(() => tasks.stats().total.completed, LONG).toBeGreaterThan(100);
    expect(runs.get(1)).toBe(1);
    expect(await keys()).toBeGreaterThan(0);
  });

  /** What somebody may do to one key of ours. */
  const DEEDS: readonly (readonly [string, (client: Redis, key: string) => Promise<unknown>])[] = [
    ["deletes", (client, key) => client.del(key)],
    ["renames", (client, key) => client.rename(key, `moved-${key}`).catch(() => {})],
    ["writes over", (client, key) => client.set(key, "planted")],
    [
      "puts a list in place of",
      (client, key) => client.multi().del(key).rpush(key, "planted", "twice").exec(),
    ],
    ["lets expire", (client, key) => client.pexpire(key, 1)],
  ];

  test.each(DEEDS)("F14: who %s any of our keys stops nothing, and nobody spins", async (_, deed) => {
    const { client, server } = await startServer();
    const { backend, log, runs, tasks } = manage(server.url);
    tasks.start();
    let next = 0;
    for (let round = 0; round < 12; round++) {
      const delayed = [["work", next++, { delayMs: 60_000 }] as const, ["work", next++] as const];
      await tasks.enqueueDurableMany(delayed).catch(() => {});
      const keys = (await client.keys("{millrace:*")).sort();
      const key = keys[(round * 7) % keys.length];
      if (key !== undefined) await deed(client, key);
      await insist(tasks, next++);
    }
    const before = await scripts(client);
    await delay(1_000); // for so long nothing is to be done
    expect((await scripts(client)) - before).toBeLessThan(40);
    expect(Math.max(...runs.values())).toBeLessThanOrEqual(2);
    expect(tasks.health().status).not.toBe("unhealthy");
    expect(log.ends.length).toBeLessThan(100);
    expect(await backend.inspector.counts(["default"])).toHaveLength(1);
  });

  test("F14: who flushes all of it is noticed, told of, and goes on with an empty store", async () => {
    const { client, server } = await startServer();
    const { log, tasks } = manage(server.url);
    tasks.start();
    await insist(tasks, 1);
    await tasks.enqueueDurable("work", 2, { delayMs: 60_000 });
    await client.flushall();
    await insist(tasks, 3);
    await expect.poll(() => log.ends, LONG).toContain("warn: queues lost by the store of durable tasks");
    expect(await auditRedis(client, "millrace")).toEqual([]);
  });
});

/** How many scripts Redis has run. */
async function scripts(client: Redis): Promise<number> {
  const stats = await client.info("commandstats");
  const counts = [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}
