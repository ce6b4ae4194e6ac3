import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { redisBackend } from "../../../src/adapters/redis/index.js";
import { StoreFullError, StoreRefusedError, StoreUnreachableError } from "../../../src/store-errors.js";
import { newTask, newTasks } from "../../../src/testing/conformance/backend/stored-things.js";
import { RedisScene, type RedisSceneOptions } from "../../support/redis-scene.js";
import { RedisServer, type RedisServerOptions } from "../../support/redis-server.js";

let server: RedisServer;
let scene: RedisScene;
let closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  const all = closing.reverse();
  closing = [];
  for (const close of all) await close();
});

async function open(options: RedisSceneOptions = {}, serverOptions: RedisServerOptions = {}): Promise<void> {
  server = await RedisServer.start(serverOptions);
  closing.push(() => server[Symbol.asyncDispose]());
  scene = await RedisScene.open(server, { commandTimeoutMs: 300, ...options });
  closing.push(() => scene.close());
}

/** What a call rejects with, and how long that took. */
async function failure(
  call: Promise<unknown>,
): Promise<{ readonly error: unknown; readonly tookMs: number }> {
  const startedAt = performance.now();
  try {
    await call;
  } catch (error) {
    return { error, tookMs: performance.now() - startedAt };
  }
  throw new Error("it was answered");
}

const allCalls = (): readonly Promise<unknown>[] => [
  scene.enqueue(newTask("q:x")),
  scene.claim(),
  scene.ack({ id: "q:x", token: 1 }),
  scene.nack({ id: "q:x", token: 1 }),
  scene.bury({ id: "q:x", token: 1 }),
  scene.extend({ id: "q:x", token: 1 }),
  scene.cancel("q:x"),
  scene.read("q:x"),
  scene.counts(),
];

describe("a Redis that dies (F1)", () => {
  test("with its append-only file: nothing is lost that was answered, and the backend goes on by itself", async () => {
    await open({}, { appendOnly: "always" });
    const kept: string[] = [];
    const ended: string[] = [];
    let over = false;
    const produce = async (): Promise<void> => {
      for (let n = 0; !over; n++) {
        const requestId = `p${n}`;
        const tasks = newTasks(5, {}, `q:${n}`);
        await scene.insist((backend) => backend.enqueue(requestId, tasks));
        kept.push(...tasks.map(({ id }) => id));
      }
    };
    const work = async (): Promise<void> => {
      while (!over || ended.length < kept.length) {
        const request = scene.toRequest({ leaseMs: 1_000, slots: [20] });
        const { tasks } = await scene.insist((backend) => backend.claim(request));
        for (const task of tasks) if (await ackOnce(task)) ended.push(task.id);
      }
    };
    const ackOnce = ({ id, token }: { id: string; token: number }): Promise<boolean> =>
      scene.insist(async () => scene.ack({ id, token }));
    const running = [produce(), work(), work()];
    for (let kills = 0; kills < 3; kills++) {
      const before = kept.length;
      await expect.poll(() => kept.length, { timeout: 10_000 }).toBeGreaterThan(before + 5);
      await server.restart();
    }
    over = true;
    await Promise.all(running);
    expect([...new Set(ended)].sort()).toEqual([...kept].sort());
    expect(ended.length).toBe(new Set(ended).size);
    await scene.audit();
  }, 30_000);

  test("while it is away, every call rejects in time, a producer's within a second", async () => {
    await open({ commandTimeoutMs: 2_000 });
    await scene.counts();
    await server.kill();
    const failures = await Promise.all(allCalls().map(failure));
    for (const { error, tookMs } of failures) {
      expect(error).toBeInstanceOf(StoreUnreachableError);
      expect(tookMs).toBeLessThan(2_300);
    }
    expect(failures[0]?.tookMs).toBeLessThan(1_500);
    await server.restart();
    await scene.insist(() => scene.counts());
  });

  test("a claim that waits until it is back says how long Redis itself was asked", async () => {
    await open({ commandTimeoutMs: 20_000 });
    await scene.counts();
    await server.kill();
    const enqueueing = async () => (await failure(scene.enqueue(newTask("q:x")))).tookMs;
    while ((await enqueueing()) < 500); // rejected at once, until the end of the connection is known here, too
    const startedAt = performance.now();
    const claim = scene.claim();
    const waitedMs = await enqueueing(); // a producer has less patience
    await server.restart();
    const { tookMs } = await claim;
    expect(tookMs).toBeGreaterThan(0);
    expect(tookMs).toBeLessThan(performance.now() - startedAt - waitedMs);
  });

  test("what was sent when it died is rejected at once, and can be made again", async () => {
    await open({ commandTimeoutMs: 20_000 }, { appendOnly: "always" });
    await scene.counts();
    server.pause();
    const call = failure(scene.backend.enqueue("r", [newTask("q:a")]));
    await delay(50);
    await server.kill();
    const { error, tookMs } = await call;
    expect(error).toBeInstanceOf(StoreUnreachableError);
    expect(tookMs).toBeLessThan(2_000);
    await server.restart();
    const again = await scene.insist((backend) => backend.enqueue("r", [newTask("q:a")]));
    expect(again).toEqual([{ outcome: "kept", replaced: undefined }]);
    expect(await scene.counts()).toEqual({ ready: 1 });
  });

  test("a backend that was made before its Redis was there works when it is", async () => {
    await open();
    await server.kill();
    const early = await RedisScene.open(server, { commandTimeoutMs: 300 });
    closing.push(() => early.close());
    expect((await failure(early.counts())).error).toBeInstanceOf(StoreUnreachableError);
    await server.restart();
    expect(await early.insist(() => early.counts())).toEqual({});
  });

  test("calls that wait for it are bounded in number and in bytes (F18)", async () => {
    await open({ commandTimeoutMs: 1_000 });
    await server.kill();
    const large = { payload: new Uint8Array(30 * 1_024 * 1_024) };
    const calls = [1, 2, 3, 4].map((n) => failure(scene.enqueue(newTask(`q:${n}`, large))));
    const many = Array.from({ length: 12_000 }, () => failure(scene.claim()));
    const [, , third, fourth] = await Promise.all(calls);
    for (const one of [third, fourth])
      expect(one?.error).toMatchObject({ message: "Too many calls wait for Redis" });
    const failures = await Promise.all(many);
    const refused = failures.filter(({ error }) => (error as Error).message.startsWith("Too many"));
    expect(refused).toHaveLength(2_002);
  });
});

describe("a Redis that is silent (F9)", () => {
  test("every call rejects in time, and the same backend goes on when it is back", async () => {
    await open();
    await scene.keep("q:a");
    server.pause();
    const failures = await Promise.all(allCalls().map(failure));
    for (const { error, tookMs } of failures) {
      expect(error).toMatchObject({
        code: "MILLRACE_STORE_UNREACHABLE",
        message: /did not answer within 300/,
      });
      expect(tookMs).toBeLessThan(1_000);
    }
    server.proceed();
    expect(await scene.insist(() => scene.placeOf("q:a"))).toBe("ready");
  });

  test("a connection on which nothing comes back is replaced by a new one", async () => {
    await open({ commandTimeoutMs: 150 });
    await scene.counts();
    const before = String(await scene.raw.call("CLIENT", "LIST"));
    const [, id = ""] = before.match(/^id=(\d+) .* name=millrace /m) ?? [];
    await scene.raw.call("CLIENT", "PAUSE", "1000", "ALL");
    for (let n = 0; n < 3; n++) await failure(scene.claim());
    await delay(700);
    await scene.insist(() => scene.counts());
    expect(await scene.raw.call("CLIENT", "LIST")).not.toMatch(new RegExp(`^id=${id} `, "m"));
    expect(scene.log.ends).toContain("warn: Redis does not answer: the connection is replaced");
  });

  test("a script of somebody else that takes long is waited out", async () => {
    await open({ commandTimeoutMs: 100 }, { settings: { "busy-reply-threshold": "50" } });
    await scene.counts();
    const other = scene.raw.eval(
      "local t = redis.call('TIME') repeat local n = redis.call('TIME') until (n[1] - t[1]) * 1000 + (n[2] - t[2]) / 1000 > 500",
      0,
    );
    await delay(100);
    expect((await failure(scene.claim())).error).toBeInstanceOf(StoreUnreachableError);
    expect(await scene.insist(() => scene.counts())).toEqual({});
    await other;
  });
});

describe("connections that are cut (F8)", () => {
  test("again and again, under load: nothing is lost, and nothing is done twice", async () => {
    await open({ commandTimeoutMs: 2_000 });
    let over = false;
    const cut = (async () => {
      while (!over) {
        await scene.raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await delay(30);
      }
    })();
    const ended = new Set<string>();
    for (let n = 0; n < 60; n++) {
      const task = newTask(`q:${n}`);
      await scene.insist((backend) => backend.enqueue(`r${n}`, [task]));
      const request = scene.toRequest();
      const { tasks } = await scene.insist((backend) => backend.claim(request));
      for (const { id, token } of tasks) {
        expect(await scene.insist(() => scene.ack({ id, token }))).toBe(true);
        expect(ended.has(id)).toBe(false);
        ended.add(id);
      }
    }
    over = true;
    await cut;
    expect(ended.size).toBe(60);
    expect(await scene.insist(() => scene.counts())).toEqual({ finished: 60 });
    await scene.audit();
  }, 30_000);

  test("signals go on after it, and who listens is told that there may be something", async () => {
    await open();
    const heard: string[] = [];
    scene.backend.signals.listen(["q"], {
      wake: (queue) => heard.push(`wake ${queue}`),
      ...{ cancelAsked() {}, finished() {}, storeLost() {} },
    });
    await expect
      .poll(() => scene.raw.pubsub("NUMSUB", scene.key("signals")))
      .toEqual([scene.key("signals"), 1]);
    await expect.poll(() => heard).toEqual(["wake q"]); // what has come before it listened
    await scene.raw.call("CLIENT", "KILL", "TYPE", "pubsub");
    await expect.poll(() => heard).toEqual(["wake q", "wake q"]);
    await scene.keep("q:a");
    await expect.poll(() => heard).toEqual(["wake q", "wake q", "wake q"]);
  });
});

describe("a Redis without memory", () => {
  test("takes no task, and what it has is worked off", async () => {
    await open();
    const leases = [];
    for (const id of ["q:ack", "q:nack", "q:bury", "q:extend"]) {
      await scene.keep(id);
      leases.push(await scene.claimOne());
    }
    await scene.keepInTurn("q:cancel", "q:ready");
    await scene.raw.config("SET", "maxmemory", "1");
    const { error } = await failure(scene.enqueue(newTask("q:new"), newTask("q:other")));
    expect(error).toBeInstanceOf(StoreFullError);
    const [ack, nack, bury, extend] = leases;
    if (!ack || !nack || !bury || !extend) throw new Error("four were claimed");
    expect(await scene.ack(ack)).toBe(true);
    expect(await scene.nack(nack, { kind: "retry", delayMs: 60_000 })).toBe(true);
    expect(await scene.bury(bury)).toBe(true);
    expect(await scene.extend(extend)).toEqual({ held: true, cancel: undefined });
    expect(await scene.cancel("q:cancel")).toBe("cancelled");
    expect(await scene.claimIds()).toEqual(["q:ready"]);
    expect(await scene.counts()).toEqual({ delayed: 1, leased: 2, dead: 1, finished: 2 });
    expect(await scene.read("q:new")).toBeUndefined();
    await scene.raw.config("SET", "maxmemory", "0");
    await scene.keepInTurn("q:new", "q:other");
    await scene.audit();
  });
});

describe("scripts that are forgotten", () => {
  test("between any two calls, and nobody notices", async () => {
    await open();
    for (let n = 0; n < 20; n++) {
      await scene.raw.script("FLUSH");
      await scene.keep(`q:${n}`);
      await scene.raw.script("FLUSH");
      const lease = await scene.claimOne();
      await scene.raw.script("FLUSH");
      expect(await scene.ack(lease)).toBe(true);
    }
  });
});

describe("a Redis that refuses (F6)", () => {
  test("for a wrong password: a typed error, soon, and without the password", async () => {
    await open({ commandTimeoutMs: 2_000 }, { settings: { requirepass: "right" } });
    const wrong = await RedisScene.open(server, { url: `redis://:hunter2@127.0.0.1:${server.port}` });
    closing.push(() => wrong.close());
    for (const call of [wrong.enqueue(newTask("q:a")), wrong.claim()]) {
      const { error, tookMs } = await failure(call);
      expect(tookMs).toBeLessThan(1_000);
      expect(error).toBeInstanceOf(StoreRefusedError);
      expect(JSON.stringify([error, String((error as Error).cause)])).not.toContain("hunter2");
    }
    expect(JSON.stringify(wrong.log.entries)).not.toContain("hunter2");
    const none = await failure(scene.claim());
    expect(none.error).toBeInstanceOf(StoreRefusedError);
  });

  test("a password that is changed while it runs: refused, and back when it is right again", async () => {
    await open({ commandTimeoutMs: 300 });
    await scene.counts();
    await scene.raw.config("SET", "requirepass", "new");
    await scene.raw.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await expect.poll(async () => (await failure(scene.claim())).error).toBeInstanceOf(StoreRefusedError);
    await scene.raw.config("SET", "requirepass", "");
    await expect.poll(async () => scene.counts().catch(() => "refused"), { timeout: 8_000 }).toEqual({});
  }, 15_000);

  test("as a replica: the call may be made again, and is done when it is a master", async () => {
    await open();
    await scene.counts();
    await scene.raw.replicaof("127.0.0.1", 1);
    expect((await failure(scene.claim())).error).toBeInstanceOf(StoreUnreachableError);
    await scene.raw.replicaof("NO", "ONE");
    expect(await scene.insist(() => scene.claimIds())).toEqual([]);
  });

  test("trouble that comes again and again is one line a second at most", async () => {
    await open({ commandTimeoutMs: 100 });
    await server.kill();
    for (let n = 0; n < 12; n++) await failure(scene.claim());
    expect(scene.log.entries.length).toBeLessThanOrEqual(3);
    const address = new URL(server.url).host;
    const met = expect.objectContaining({ errorType: "Error", code: "ECONNREFUSED", address });
    expect(scene.log.entries).toContainEqual(["warn", "the connection to Redis is in trouble", met]);
  });
});

describe("a close", () => {
  test("settles what is under way, and refuses what comes later", async () => {
    await open({ commandTimeoutMs: 20_000 });
    await scene.counts();
    server.pause();
    const calls = allCalls().map(failure);
    await scene.backend.close();
    for (const { error } of await Promise.all(calls)) expect(error).toBeInstanceOf(StoreUnreachableError);
    server.proceed();
    expect((await failure(scene.claim())).error).toMatchObject({ message: "This Redis backend was closed" });
    expect(scene.backend.signals.listen(["q"], {} as never)).toBeTypeOf("function");
    await scene.backend.close();
  });
});

describe("a client of the user's", () => {
  test("is left alone, whether it is connected or not, with its own prefix of keys", async () => {
    await open();
    const client = new Redis(server.url, { keyPrefix: "own:", lazyConnect: true });
    const backend = redisBackend({ client, prefix: scene.prefix });
    expect(await backend.enqueue("r", [newTask("q:a")])).toEqual([{ outcome: "kept", replaced: undefined }]);
    expect(client.status).toBe("wait");
    await client.set("key", "value");
    await backend.close();
    expect(await client.get("key")).toBe("value");
    client.disconnect();
    expect(await scene.placeOf("q:a")).toBe("ready");
    expect(await scene.raw.exists("own:key")).toBe(1);
  });
});
