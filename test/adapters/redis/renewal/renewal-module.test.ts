import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since the thread that renews runs compiled code.
import { redisBackend } from "../../../../dist/adapters/redis/index.js";
import { defineHandlers, json, type LogFields, TaskManager } from "../../../../dist/index.js";
import { RedisServer } from "../../../support/redis-server.js";

/** Long enough that a crowded machine answers within a third of it. */
const LEASE_MS = 4_500;

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

/** A module that gives that, and is told where the server is, or nothing of that. */
function giving(what: string, url = server.url): URL {
  const module = new URL("../../../fixtures/renewal/gives.mjs", import.meta.url);
  module.search = new URLSearchParams({ what, ...(url === "" ? {} : { url }) }).toString();
  return module;
}

/** A manager whose renewing thread asks that module, and one task that it holds to the end of the test. */
async function holding(module: URL) {
  const queue = `q-${randomUUID()}`;
  const lines: [string, LogFields][] = [];
  const line = (fields: LogFields, text: string) => {
    if (text.includes("renew")) lines.push([text, fields]);
  };
  const workers: Worker[] = [];
  const watch = (worker: Worker) => workers.push(worker);
  process.on("worker", watch);
  const backend = redisBackend({
    ...{ client, renewal: { module } },
    logger: { debug: line, info: line, warn: line, error: line },
  });
  const handlers = defineHandlers({
    hold: { payload: json<null>(), run: (_payload, { signal }) => once(signal, "abort") },
  });
  const tasks = new TaskManager({
    ...{ handlers, backend, consume: [queue], queues: { [queue]: {} }, leaseMs: LEASE_MS },
  });
  onTestFinished(async () => {
    await tasks.stopNow();
    process.off("worker", watch);
  });
  await tasks.enqueueDurable("hold", null, { queue });
  /** All renewals, and those that were made by no call of this thread. */
  const renewals = () => {
    const { calls, renewals } = tasks.stats().durable;
    return { all: renewals, there: renewals - calls.extend.count };
  };
  return { lines, renewals, tasks, workers };
}

/** Resolves when it holds, which is looked at again and again. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Connections of renewing threads, by their name. */
async function renewalClients(): Promise<number> {
  const list = String(await client.client("LIST"));
  return list.split("\n").filter((line) => line.includes("name=millrace-renewal")).length;
}

const GIVES_NONE = "the module of `renewal` gives no client of Redis";
const LOST = "the thread that renews leases was lost";

describe("a module that gives the renewing thread", () => {
  test.each(["client", "options", "later"])("%s, has leases renewed there", async (what) => {
    const { lines, renewals } = await holding(giving(what));
    await until(() => renewals().there > 0);
    expect([await renewalClients(), lines]).toEqual([1, []]);
  });

  test("a client by the environment of the process, has leases renewed there", async () => {
    process.env["MILLRACE_TEST_REDIS"] = server.url;
    onTestFinished(() => {
      delete process.env["MILLRACE_TEST_REDIS"];
    });
    const { lines, renewals } = await holding(giving("client", ""));
    await until(() => renewals().there > 0);
    expect(lines).toEqual([]);
  });

  test.each([
    ["nothing", giving("nothing", ""), GIVES_NONE, { errorType: "TypeError" }],
    ["an error", giving("throws", ""), GIVES_NONE, { errorType: "RangeError" }],
    ["no answer", giving("never", ""), GIVES_NONE, { errorType: "Error" }],
    ["nothing since it is missing", new URL("nowhere.mjs", import.meta.url), GIVES_NONE, {}],
    ["its end", giving("exits", ""), LOST, {}],
  ])("%s, is told of, and leases are renewed on the event loop", async (_, module, text, fields) => {
    const startedAt = performance.now();
    const { lines, renewals } = await holding(module);
    await until(() => renewals().all > 0 && lines.length > 0);
    expect(lines[0]).toEqual([text, expect.objectContaining(fields)]);
    expect(renewals().there).toBeLessThanOrEqual(0); // one may be under way here
    expect(await renewalClients()).toBe(0);
    expect(lines.length).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 1_000);
  });

  test("never anything, hinders no stop, which ends the thread too", async () => {
    const { tasks, workers } = await holding(giving("never"));
    await until(() => workers.length > 0);
    expect(await tasks.stopNow()).toMatchObject({ abandoned: 0 });
    await until(() => workers[0]?.threadId === -1);
  });
});
