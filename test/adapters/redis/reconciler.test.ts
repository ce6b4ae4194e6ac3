import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clientFactory } from "../../../src/adapters/redis/create-client.js";
import { Reconciler } from "../../../src/adapters/redis/reconciler.js";
import { RedisConnection } from "../../../src/adapters/redis/redis-connection.js";
import { RedisLog } from "../../../src/adapters/redis/redis-log.js";
import { ScriptRunner } from "../../../src/adapters/redis/script-runner.js";
import { StoreKeys } from "../../../src/adapters/redis/store-keys.js";
import { newTasks } from "../../../src/testing/conformance/backend/stored-things.js";
import { RedisScene } from "../../support/redis-scene.js";
import { RedisServer } from "../../support/redis-server.js";

let server: RedisServer;
let scene: RedisScene;
let connection: RedisConnection;
let reconciler: Reconciler;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  scene = await RedisScene.open(server);
  const create = clientFactory({ url: server.url });
  const log = new RedisLog(scene.log);
  connection = new RedisConnection({
    ...{ create: () => create("reconciler", 1_000), commandTimeoutMs: 1_000, log },
    check: async () => undefined,
  });
  const runner = new ScriptRunner(connection, [10_000, 1_000_000]);
  reconciler = new Reconciler({ connection, runner, keys: new StoreKeys(scene.prefix), log });
});

afterEach(async () => {
  connection.close();
  await scene.close();
});

/** Once round all that is there; it is waited for connections that are opened by their first call. */
async function goRound(): Promise<void> {
  await connection.call({ send: (client) => client.ping(), bytes: 0, patienceMs: 1_000 });
  const keys = await scene.raw.dbsize();
  for (let looked = 0; looked <= keys; looked += 1_000) await reconciler.step();
}

describe("records that are in no index (F14, I7)", () => {
  test.each(["ready:work", "delayed", "leased", "dead"])(
    "are put back where %s was deleted",
    async (name) => {
      const place = name === "ready:work" ? "ready" : (name as "delayed" | "leased" | "dead");
      await scene.put("q:a", place);
      await scene.raw.del(scene.key(name));
      expect(await scene.counts()).toEqual({});
      await goRound();
      expect(await scene.counts()).toEqual({ [place]: 1 });
      expect(scene.log.ends).toContain("warn: tasks that were in no index were put back");
      await scene.audit();
    },
  );

  test("go on: one that is delayed is due, one that is leased has its time", async () => {
    await scene.put("q:delayed", "delayed");
    await scene.keep("q:leased");
    const lease = await scene.claimBriefly();
    await scene.raw.del(scene.key("delayed"), scene.key("leased"));
    await goRound();
    expect(await scene.claimIds()).toEqual(["q:delayed"]);
    expect((await scene.extend(lease, { leaseMs: scene.subject.leaseMs })).held).toBe(true);
    await scene.expire();
    expect(await scene.claimIds()).toEqual(["q:leased"]);
    await scene.audit();
  });

  test("are all found, of several queues and however many there are", async () => {
    await scene.backend.enqueue("one", newTasks(1_500, {}, "one:task"));
    await scene.backend.enqueue("two", newTasks(1_500, {}, "two:a:b"));
    await scene.raw.del(scene.key("ready:work", "one"), scene.key("ready:work", "two"));
    await scene.raw.config("RESETSTAT");
    await goRound();
    const calls = [...(await scene.raw.info("commandstats")).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)];
    const scripts = calls.reduce((sum, [, count]) => sum + Number(count), 0);
    expect(scripts, "none takes long: all others wait for it").toBeGreaterThanOrEqual(3_000 / 200);
    expect([await scene.counts("one"), await scene.counts("two")]).toEqual([
      { ready: 1_500 },
      { ready: 1_500 },
    ]);
    await scene.audit();
  });

  test("are found also where something else cannot be mended", async () => {
    await scene.backend.enqueue("one", newTasks(1, {}, "one:task"));
    await scene.backend.enqueue("two", newTasks(1, {}, "two:task"));
    await scene.raw.del(scene.key("ready:work", "one"), scene.key("ready:work", "two"));
    await scene.raw.del(scene.key("meta", "one"));
    await scene.raw.set(scene.key("handlers", "one"), "planted");
    await goRound();
    expect([await scene.counts("one"), await scene.counts("two")]).toEqual([{ ready: 1 }, { ready: 1 }]);
    await scene.audit();
  });

  test("are left alone where they are in their index, and nothing else is touched", async () => {
    for (const place of ["ready", "delayed", "leased", "dead", "finished"] as const)
      await scene.put(`${place}:a`, "ready").catch(() => {});
    await scene.put("q:dead", "dead");
    await scene.raw.lpush(scene.key("t:strange"), "planted");
    await scene.raw.set(scene.key("t:half"), "half");
    await scene.raw.set(`{${scene.prefix}-other:q}:t:a`, "foreign");
    const before = await scene.counts();
    await goRound();
    expect(await scene.counts()).toEqual(before);
    expect(await scene.setAside()).toEqual(["half half"]);
    expect(await scene.raw.lpop(scene.key("t:strange"))).toBe("planted");
    await scene.audit();
  });
});

test("a key is read as it was written, and others are none of ours", () => {
  const keys = new StoreKeys("a.b:c");
  expect(keys.readRecordKey("{a.b:c:queue}:t:x:y}:t:z")).toEqual(["queue", "x:y}:t:z"]);
  for (const key of ["{a.b:c:}:t:x", "{a.b:c:q:r}:t:x", "{aXb:c:q}:t:x", "{a.b:c:q}:meta", "x"])
    expect(keys.readRecordKey(key)).toBeUndefined();
});
