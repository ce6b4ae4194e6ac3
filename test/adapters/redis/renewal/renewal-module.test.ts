import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since the thread that renews runs compiled code.
import { redisBackend } from "../../../../dist/adapters/redis/index.js";
import { defineHandlers, json, type LogFields, TaskManager } from "../../../../dist/index.js";
import { RedisServer } from "../../../support/redis-server.js";

/** Long enough that a crowded machine renews in time. */
const LEASE_MS = 1_500;

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

/** A module that gives that, and is told where the server is. */
function giving(what: string, url = server.url): URL {
  const module = new URL("../../../fixtures/renewal/gives.mjs", import.meta.url);
  module.search = new URLSearchParams({ what, ...(url === "" ? {} : { url }) }).toString();
  return module;
}

/** A manager whose renewing thread asks that module, and one task that it holds until it is let go. */
async function holding(module: URL) {
  const queue = `q-${randomUUID()}`;
  const lines: [string, LogFields][] = [];
  const waiting = new Set<() => void>();
  const line = (fields: LogFields, text: string) => {
    lines.push([text, fields]);
    for (const look of waiting) look();
  };
  const backend = redisBackend({
    ...{ client, renewal: { module } },
    logger: { debug: line, info: line, warn: line, error: line },
  });
  const handles = { letGo: () => {} };
  const released = new Promise<void>((resolve) => {
    handles.letGo = resolve;
  });
  let lost = 0;
  const tasks = new TaskManager({
    handlers: defineHandlers({ hold: { payload: json<null>(), run: () => released } }),
    ...{ backend, consume: [queue], queues: { [queue]: {} }, leaseMs: LEASE_MS },
    hooks: { onLeaseLost: () => lost++ },
  });
  onTestFinished(async () => {
    await tasks.stopNow();
  });
  const handle = await tasks.enqueueDurable("hold", null, { queue });
  const renewed = async (count: number) => {
    while (tasks.stats().durable.renewals < count) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  /** Resolves to the fields of the first line with that text. */
  const said = (text: string) =>
    new Promise<LogFields>((resolve) => {
      const look = () => {
        const found = lines.find(([said]) => said === text);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found[1]);
      };
      waiting.add(look);
      look();
    });
  const end = async () => {
    handles.letGo();
    await handle.result();
    return lost;
  };
  return { end, lines, renewed, said, tasks };
}

/** By whom leases are renewed: connections of the server by their name. */
async function renewalClients(): Promise<number> {
  const list = String(await client.client("LIST"));
  return list.split("\n").filter((line) => line.includes("name=millrace-renewal")).length;
}

const GIVES_NONE = "the module of `renewal` gives no client of Redis";

describe("a module that gives the renewing thread", () => {
  test.each(["client", "options", "later"])(
    "%s, has leases renewed there",
    async (what) => {
      const { end, lines, renewed, tasks } = await holding(giving(what));
      await renewed(4);
      expect(await renewalClients()).toBe(1);
      expect(tasks.stats().durable.calls.extend.count).toBe(0); // by no call of ours
      expect([await end(), lines.filter(([text]) => text.includes("renew"))]).toEqual([0, []]);
    },
    30_000,
  );

  test("a client by the environment of the process, has leases renewed there", async () => {
    process.env["MILLRACE_TEST_REDIS"] = server.url;
    onTestFinished(() => {
      delete process.env["MILLRACE_TEST_REDIS"];
    });
    const { end, renewed, tasks } = await holding(giving("client", ""));
    await renewed(3);
    expect([tasks.stats().durable.calls.extend.count, await end()]).toEqual([0, 0]);
  }, 30_000);

  test.each([
    ["nothing", "TypeError"],
    ["throws", "RangeError"],
    ["never", "Error"],
  ])("%s, is told of, and leases are renewed on the event loop", { timeout: 30_000 }, async (...given) => {
    const [what, errorType] = given;
    const { end, lines, renewed, said, tasks } = await holding(giving(what));
    await renewed(4);
    expect(await said(GIVES_NONE)).toEqual({ errorType });
    expect(tasks.stats().durable.calls.extend.count).toBeGreaterThan(2);
    expect(await renewalClients()).toBe(0);
    expect(await end()).toBe(0);
    expect(lines.length).toBeLessThan(12); // one a second, at most
  });

  test.each([
    ["that is missing", new URL("nowhere.mjs", import.meta.url), GIVES_NONE],
    ["that ends its thread", undefined, "the thread that renews leases was lost"],
  ])(
    "%s, is told of, and leases are renewed on the event loop",
    async (_, module, text) => {
      const { end, renewed, said } = await holding(module ?? giving("exits"));
      await said(text);
      await renewed(3);
      expect(await end()).toBe(0);
    },
    30_000,
  );

  test("never anything, hinders no stop", async () => {
    const { tasks } = await holding(giving("never"));
    const stoppedAt = performance.now();
    await tasks.stopNow();
    expect(performance.now() - stoppedAt).toBeLessThan(4_000);
  }, 30_000);
});
