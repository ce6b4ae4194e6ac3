import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, LeaseLostError, TaskManager } from "../../src/index.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

const LEASE_MS = 3_000;
const LONG = { timeout: 30_000 };

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start({ settings: { "busy-reply-threshold": "50" } });
  client = new Redis(server.url);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Keeps the server busy with a script of somebody else. */
const BUSY = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
local since = now()
while now() < since + tonumber(ARGV[1]) do end
`;

const PAUSES: Readonly<Record<string, (ms: number) => Promise<unknown>>> = {
  "paused for all": (ms) => client.client("PAUSE", ms, "ALL"),
  "paused for writers": (ms) => client.client("PAUSE", ms, "WRITE"),
  asleep: (ms) => client.call("DEBUG", "SLEEP", String(ms / 1_000)),
  "busy with a script of somebody else": (ms) => client.eval(BUSY, 0, ms),
};

/** A manager that holds a task until its `finish`, and what it hears of that. */
async function hold(prefix: string) {
  const held = new AbortController();
  const aborts: unknown[] = [];
  const told: string[] = [];
  const handlers = defineHandlers({
    hold: {
      payload: json<null>(),
      run: async (_, { signal, attempt }) => {
        told.push("begun");
        const abort = () => aborts.push(signal.reason);
        signal.addEventListener("abort", abort);
        if (!held.signal.aborted) await Promise.race([once(held.signal, "abort"), once(signal, "abort")]);
        return attempt;
      },
    },
  });
  const tasks = new TaskManager({
    ...{ handlers, leaseMs: LEASE_MS, killAfterMs: 200 },
    backend: redisBackend({ url: server.url, prefix, commandTimeoutMs: 900, renewal: false }),
    hooks: { onLeaseLost: () => told.push("lost"), onFinished: ({ state }) => told.push(state) },
  });
  onTestFinished(async () => {
    await tasks.stopNow();
    expect(await auditRedis(client, prefix)).toEqual([]);
  });
  const handle = await tasks.enqueueDurable("hold", null);
  await expect.poll(() => told, LONG).toEqual(["begun"]);
  return { aborts, finish: () => held.abort(), handle, told };
}

describe("F9: a Redis that does nothing for a while", { timeout: 60_000 }, () => {
  for (const [what, pause] of Object.entries(PAUSES)) {
    test(`F9: is ${what}, for less than a lease: none is lost`, async () => {
      const { aborts, finish, handle, told } = await hold(`short-${what.length}`);
      await pause(1_000);
      await client.time();
      const writable = `writable-${what.length}`;
      await client.set(writable, 1); // which waits for the end of each of them
      await client.del(writable);
      finish();
      expect(await handle.result()).toBe(1);
      await expect.poll(() => told, LONG).toEqual(["begun", "completed"]);
      expect(aborts).toEqual([]);
    });
  }

  test("F9: is asleep for longer than a lease: it is lost, cleanly, and the task is done at the same attempt", async () => {
    const { aborts, finish, handle, told } = await hold("long");
    await client.call("DEBUG", "SLEEP", String((2 * LEASE_MS) / 1_000));
    await expect.poll(() => aborts, LONG).toEqual([expect.any(LeaseLostError)]);
    await expect.poll(() => told, LONG).toEqual(["begun", "lost", "begun"]);
    finish();
    expect(await handle.result()).toBe(1);
    await expect.poll(() => told, LONG).toEqual(["begun", "lost", "begun", "completed"]);
  });
});
