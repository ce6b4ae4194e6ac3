import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, StoreUnreachableError, TaskManager } from "../../src/index.js";
import type { ChildEnd } from "../support/child-process.js";
import { runProgram } from "../support/child-process.js";
import { crowding } from "../support/crowding.js";
import { DurableRun } from "../support/durable-run.js";
import { RedisServer } from "../support/redis-server.js";
import { reportOf } from "../support/worker-fleet.js";

const LEASE_MS = 2_000;
/** What a worker is given for its stop; then a process has to end by itself. */
const DEADLINE_MS = 1_500;
const SEED = 1;

let closing: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of closing.reverse()) await one[Symbol.asyncDispose]();
  closing = [];
});

async function startRun(workers: number) {
  const server = await RedisServer.start({ appendOnly: "always" });
  closing.push(server);
  const run = await DurableRun.start({
    server,
    seed: SEED,
    workers,
    leaseMs: LEASE_MS,
    deadlineMs: DEADLINE_MS,
  });
  closing.push(run);
  return { run, server };
}

/** Ended by itself, in time, and said what became of its tasks. */
function expectOrderly(end: ChildEnd, tookMs: number): void {
  expect(end).toMatchObject({ code: 143, signal: null, stderr: "" });
  const { alive, durationMs, ...parts } = reportOf(end) ?? { alive: -1, durationMs: -1 };
  expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
  expect(durationMs).toBeLessThan(DEADLINE_MS + 250 * crowding());
  expect(tookMs).toBeLessThan(DEADLINE_MS + 1_000 * crowding());
}

async function timed<T>(promise: Promise<T>): Promise<readonly [T, number]> {
  const since = performance.now();
  return [await promise, performance.now() - since];
}

describe("X2: a worker process that is told to end ends by itself", { timeout: 60_000 }, () => {
  test("X2: while others go on: it gives back what it has not done, and nothing is lost", async () => {
    const { run } = await startRun(2);
    let isOver = false;
    const produced = run.producer.run(6, () => isOver, [1_000, 3_000]);
    const pid = await run.whoRuns(4); // some of these take longer than the stop gives them
    const [end, tookMs] = await timed(run.fleet.stopOne(pid));
    expectOrderly(end, tookMs);
    expect(reportOf(end)?.interrupted).toBeGreaterThan(0);
    isOver = true;
    await produced;
    await run.drained();
    const { duplicates } = await run.expectSound();
    expect(duplicates.interrupted).toBeGreaterThan(0);
  });

  test.each(["killed", "silent"] as const)("X3: while Redis is %s", async (how) => {
    const { run, server } = await startRun(2);
    let isOver = false;
    const produced = run.producer.run(100, () => isOver);
    await run.resumed();
    if (how === "killed") await server.kill();
    else server.pause();
    const [ends, tookMs] = await timed(run.fleet.stop());
    for (const end of ends) expectOrderly(end, tookMs);
    if (how === "killed") await server.restart();
    else server.proceed();
    await run.fleet.start(1);
    isOver = true;
    await produced;
    await run.drained();
    await run.expectSound();
  });
});

describe("X6: managers that come and go", { timeout: 60_000 }, () => {
  test.each(["there", "killed"] as const)("X6: leave nothing behind while Redis is %s", async (how) => {
    const server = await RedisServer.start();
    closing.push(server);
    const client = new Redis(server.url, { maxRetriesPerRequest: null });
    client.on("error", () => {});
    const handlers = defineHandlers({ work: { payload: json<null>(), run: () => 1 } });
    const comeAndGo = async () => {
      const commandTimeoutMs = how === "there" ? 5_000 : 300;
      const backend = redisBackend({ url: server.url, commandTimeoutMs });
      const tasks = new TaskManager({ handlers, backend, leaseMs: 1_000 });
      if (how === "there") await (await tasks.enqueueDurable("work", null)).result();
      else await expect(tasks.enqueueDurable("work", null)).rejects.toThrow(StoreUnreachableError);
      const { durationMs } = await tasks.stopGraceful({ deadlineMs: 1_000 });
      expect(durationMs).toBeLessThan(1_250 * crowding());
    };
    await client.ping();
    if (how === "killed") await server.kill();
    await comeAndGo(); // what is made once
    const before = refed();
    await Promise.all(Array.from({ length: 10 }, comeAndGo));
    await comeAndGo();
    while (refed().length > before.length) await delay(20); // sockets are closed a turn later
    if (how === "killed") await server.restart();
    const connected = async () =>
      String(await client.call("CLIENT", "LIST"))
        .trim()
        .split("\n");
    await expect.poll(connected, { timeout: 10_000 }).toHaveLength(1); // the server notices a little later
    client.disconnect();
  });
});

/** What keeps this process alive. */
function refed(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Message|Worker/.test(name));
}

describe("X8: a process that only enqueues ends by itself", { timeout: 60_000 }, () => {
  test.each([
    ["there", "accepted"],
    ["not there", "MILLRACE_STORE_UNREACHABLE"],
  ] as const)("X8: while Redis is %s", async (how, told) => {
    const server = await RedisServer.start();
    closing.push(server);
    if (how === "not there") await server.kill();
    const [end, tookMs] = await timed(runProgram("durable/producer.mjs", server.url, "once"));
    expect(end).toMatchObject({ code: 0, signal: null, stderr: "", stdout: `${told}\n` });
    expect(tookMs).toBeLessThan(10_000 * crowding());
  });
});
