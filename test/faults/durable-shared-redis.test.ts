import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, fixed, json, reschedule, TaskManager } from "../../src/index.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

/** The number of the database of ours; what is in others is none of our business. */
const OWN_DB = 3;
const PREFIX = "shop";

/** Of other applications, whose names come near to ours. */
const FOREIGN = [
  "shop",
  "{shop}:queue",
  "{shopping:default}:meta",
  "{Shop:default}:meta",
  "shop:default:t:a",
  "q",
];

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url, { db: OWN_DB });
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

const KEYLESS = /^(eval|evalsha|ping|time|info|hello|auth|client|script|select|monitor|scan)$/i;

interface Seen {
  readonly args: readonly string[];
  readonly source: string;
  readonly db: number;
}

/** All that the server is told meanwhile, by scripts too. */
async function watched(act: () => Promise<void>): Promise<readonly Seen[]> {
  const monitor = await new Redis(server.url).monitor();
  const seen: Seen[] = [];
  monitor.on("monitor", (_time: string, args: string[], source: string, db: string) =>
    seen.push({ args, source, db: Number(db) }),
  );
  await act();
  await client.ping("end of what is looked at");
  const isOver = () => seen.some(({ args: [, text] }) => text?.startsWith("end of what"));
  await expect.poll(isOver, { timeout: 20_000 }).toBe(true);
  monitor.disconnect();
  return seen;
}

/** A bit of everything that a manager does in Redis. */
async function doAll(prefix: string): Promise<void> {
  const url = `${server.url}/${OWN_DB}`;
  let works = false;
  const handlers = defineHandlers({
    work: {
      payload: json<string>(),
      ...{ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) },
      run: (_, { attempt, progress }) => {
        progress(attempt);
        if (attempt === 1) throw new Error("once");
        return attempt;
      },
    },
    again: {
      payload: json<string>(),
      run: (_, { fencingToken = 0, metadata }) => {
        if (fencingToken > Number(metadata["after"]) * 1_000) return "done";
        throw reschedule({ delayMs: 20 });
      },
    },
    fails: {
      payload: json<string>(),
      maxAttempts: 1,
      run: () => {
        if (!works) throw new Error("always");
      },
    },
    waits: { payload: json<string>(), run: (_, { signal }) => untilAborted({ signal }) },
  });
  const backend = redisBackend({ url, prefix, commandTimeoutMs: 900, renewal: false });
  const tasks = new TaskManager({ handlers, backend, leaseMs: 3_000, queues: { default: {}, other: {} } });
  const work = await tasks.enqueueDurable("work", "x", { idempotencyKey: "k", queue: "other" });
  await work.result();
  const again = await tasks.enqueueDurable("again", "x", { metadata: { after: Date.now() + 20 } });
  await again.result();
  const failed = await tasks.enqueueDurable("fails", "x");
  await rejectionOf(failed.result());
  works = true;
  await tasks.replayDeadLetters({ filter: { queue: "default" } });
  await failed.result();
  const waiting = await tasks.enqueueDurable("work", "x", { delayMs: 60_000 });
  await waiting.cancel();
  const running = await tasks.enqueueDurable("waits", "x");
  await expect.poll(() => tasks.stats().running, { timeout: 20_000 }).toBe(1);
  await running.cancel();
  await rejectionOf(running.result());
  await tasks.enqueueDurableMany([
    ["waits", "y"],
    ["work", "y", { delayMs: 60_000 }],
  ]);
  await expect.poll(() => tasks.stats().running, { timeout: 20_000 }).toBe(1);
  await tasks.stopNow();
}

describe("a Redis that others use too", { timeout: 60_000 }, () => {
  test("F21: nothing is touched but keys and channels of the prefix, in the database that was named", async () => {
    for (const db of [0, OWN_DB]) {
      const other = new Redis(server.url, { db });
      for (const key of FOREIGN) await other.set(key, "foreign");
      other.disconnect();
    }
    const seen = await watched(() => doAll(PREFIX));
    const keyed = seen.filter(({ args: [name = ""] }) => !KEYLESS.test(name));
    expect(keyed.length).toBeGreaterThan(100);
    const strange = keyed.filter(({ args: [, key], db }) => !key?.startsWith(`{${PREFIX}:`) || db !== OWN_DB);
    expect(strange.map(({ args }) => args.slice(0, 2).join(" "))).toEqual([]);
    for (const { args } of seen.filter(({ args: [name = ""] }) => /^eval/i.test(name)))
      for (const key of args.slice(3, 3 + Number(args[2]))) expect(key).toMatch(/^\{shop:[^}]+\}:/);
    for (const db of [0, OWN_DB]) {
      const other = new Redis(server.url, { db });
      expect(await other.mget(...FOREIGN)).toEqual(FOREIGN.map(() => "foreign"));
      if (db === 0) expect((await other.keys("*")).sort()).toEqual([...FOREIGN].sort());
      other.disconnect();
    }
    expect(await auditRedis(client, PREFIX)).toEqual([]);
  });

  test("F21: two prefixes share nothing: neither tasks, nor ids, nor idempotency keys", async () => {
    const url = `${server.url}/${OWN_DB}`;
    const ran: string[] = [];
    const start = (prefix: string) =>
      new TaskManager({
        handlers: defineHandlers({
          work: { payload: json<string>(), run: (name) => void ran.push(`${prefix} ${name}`) },
        }),
        backend: redisBackend({ url, prefix, renewal: false }),
      });
    const [one, two] = [start("one"), start("two")];
    const given = { id: "same", idempotencyKey: "same" };
    const first = await one.enqueueDurable("work", "of one", given);
    const second = await two.enqueueDurable("work", "of two", given);
    expect([first.duplicate, second.duplicate]).toEqual([false, false]);
    await Promise.all([first.result(), second.result()]);
    expect([...ran].sort()).toEqual(["one of one", "two of two"]);
    await Promise.all([one.stopNow(), two.stopNow()]);
    for (const prefix of ["one", "two"]) expect(await auditRedis(client, prefix)).toEqual([]);
  });
});
