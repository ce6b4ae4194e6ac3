import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LONG_MS } from "../../../src/testing/conformance/backend/backend-trial.js";
import { newTask, newTasks } from "../../../src/testing/conformance/backend/stored-things.js";
import { RedisScene } from "../../support/redis-scene.js";
import { RedisServer } from "../../support/redis-server.js";

let server: RedisServer;
let scene: RedisScene;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  scene = await RedisScene.open(server);
});

afterEach(() => scene.close());

/** Each of these is done to the record of a task that is in some place. */
const damages: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
  missing: (key) => scene.raw.del(key),
  half: (key) => scene.raw.getrange(key, 0, 60).then((half) => scene.raw.set(key, half)),
  "half ": (key) => scene.raw.setrange(key, 0, "Z"), // no place has that letter
  "half  ": (key) => scene.raw.setrange(key, 79, "\x7f"), // as if it had an envelope of two gigabytes
  "wrong-type": async (key) => {
    await scene.raw.del(key);
    await scene.raw.lpush(key, "not", "a", "record");
  },
};

describe("damaged records never block what is sound (F14, F17)", () => {
  for (const [reason, damage] of Object.entries(damages)) {
    test(`${reason}: where they are ready`, async () => {
      await scene.keepInTurn("q:bad", "q:good");
      await damage(scene.key("t:bad"));
      expect(await scene.claimIds()).toEqual(["q:good"]);
      expect(await scene.setAside()).toEqual([`${reason.trim()} bad`]);
      await scene.raw.del(scene.key("t:bad"));
      await scene.audit();
    });

    test(`${reason}: where they are delayed`, async () => {
      await scene.backend.enqueue("r", [
        newTask("q:bad", { delayMs: 20 }),
        newTask("q:good", { delayMs: 20 }),
      ]);
      await damage(scene.key("t:bad"));
      await scene.passMs(30);
      expect(await scene.claimIds()).toEqual(["q:good"]);
      expect(await scene.setAside()).toEqual([`${reason.trim()} bad`]);
    });

    test(`${reason}: where they are leased`, async () => {
      await scene.backend.enqueue("r", [newTask("q:bad"), newTask("q:good")]);
      const { tasks } = await scene.claim({ leaseMs: scene.subject.leaseMs });
      await damage(scene.key("t:bad"));
      expect(await scene.ack({ id: "q:bad", token: tasks[0]?.token ?? 0 })).toBe(false);
      expect((await scene.extend({ id: "q:bad", token: tasks[0]?.token ?? 0 })).held).toBe(false);
      await scene.expire();
      expect(await scene.claimIds()).toEqual(["q:good"]);
      expect(await scene.setAside()).toEqual([`${reason.trim()} bad`]);
    });

    test(`${reason}: where they are dead letters`, async () => {
      const limited = await RedisScene.open(server, { deadLetters: { maxEntries: 1 } });
      await limited.put("q:bad", "dead");
      await damage(limited.key("t:bad").replace(scene.prefix, limited.prefix));
      await limited.put("q:good", "dead");
      expect(await limited.placeOf("q:good")).toBe("dead");
      expect(await limited.setAside()).toEqual([`${reason.trim()} bad`]);
      await limited.close();
    });
  }

  test("an id whose record is gone, or half, can be used again", async () => {
    await scene.keepInTurn("q:gone", "q:half");
    await scene.raw.del(scene.key("t:gone"));
    await scene.raw.set(scene.key("t:half"), "half");
    expect(await scene.claimIds()).toEqual([]);
    await scene.keepInTurn("q:gone", "q:half");
    expect(await scene.claimIds()).toEqual(["q:gone", "q:half"]);
    await scene.audit();
  });

  test("an entry of an index in which its record does not belong is taken out, and the record left alone", async () => {
    await scene.put("q:a", "delayed");
    const [member = ""] = await scene.raw.zrange(scene.key("delayed"), "0", "-1");
    await scene.raw.zadd(scene.key("ready:work"), 0, member);
    await scene.raw.zadd(scene.key("leased"), 0, "a");
    expect(await scene.claimIds()).toEqual([]);
    expect(await scene.setAside()).toEqual(["misplaced a"]);
    expect(await scene.placeOf("q:a")).toBe("delayed");
    await scene.audit();
  });

  test("more of them than one claim looks at do not hide the next one for good", async () => {
    await scene.backend.enqueue("r", newTasks(250));
    for (const { id } of newTasks(249)) await scene.raw.del(scene.key(`t:${id.slice(2)}`));
    const claims = [await scene.claim(), await scene.claim(), await scene.claim()];
    expect(claims.map(({ tasks }) => tasks.length)).toEqual([0, 0, 1]);
    expect(claims[0]?.nextDueMs).toBe(0);
    await scene.audit();
  });

  test("one whose payload is cut stays set aside, and its id can be used again", async () => {
    await scene.keep("q:a");
    const whole = (await scene.raw.getBuffer(scene.key("t:a"))) ?? Buffer.alloc(0);
    await scene.raw.set(scene.key("t:a"), whole.subarray(0, -1));
    expect(await scene.claimIds()).toEqual([]);
    expect(await scene.setAside()).toEqual(["half a"]);
    expect(await scene.read("q:a")).toBeUndefined();
    await scene.audit();
    await scene.keep("q:a");
    expect(await scene.claimIds()).toEqual(["q:a"]);
    await scene.audit();
  });

  test("what was beside one that is gone means nothing to a task with its id", async () => {
    await scene.keep("q:a");
    await scene.claimOne();
    await scene.cancel("q:a"); // its holder is asked
    await scene.raw.del(scene.key("t:a"), scene.key("leased"));
    await scene.keep("q:a");
    expect(await scene.nack(await scene.claimOne(), { kind: "retry", error: "no" })).toBe(true);
    expect(await scene.placeOf("q:a")).toBe("ready");
    await scene.audit();
  });

  test("a damaged outcome keeps nobody from those beside it", async () => {
    await scene.keepInTurn("q:a", "q:b");
    for (const lease of (await scene.claim()).tasks) await scene.ack(lease);
    const whole = (await scene.raw.getBuffer(scene.key("t:a"))) ?? Buffer.alloc(0);
    await scene.raw.set(scene.key("t:a"), whole.subarray(0, -8), "KEEPTTL");
    const [a, b] = await scene.backend.inspector.read(["q:a", "q:b"]);
    expect([a, b?.outcome?.state]).toEqual([undefined, "completed"]);
  });

  test("what is set aside is bounded, and counted", async () => {
    const full = Array.from({ length: 1_000 }, (_, index) => [index, `old ${index}`]).flat();
    await scene.raw.zadd(scene.key("quarantine"), ...full);
    await scene.keep("q:a");
    await scene.raw.del(scene.key("t:a"));
    await scene.claim();
    expect(await scene.raw.zcard(scene.key("quarantine"))).toBe(1_000);
    expect(await scene.setAside()).toContain("missing a");
    expect(await scene.raw.hget(scene.key("meta"), "quarantined")).toBe("1");
  });
});

describe("a key of the wrong type (F14)", () => {
  const names = ["meta", "delayed", "leased", "dead", "finished", "ready:work", "handlers", "quarantine"];

  for (const name of names) {
    test(`${name}: is moved out of the way, and the queue goes on`, async () => {
      await scene.raw.set(scene.key(name), "planted");
      await scene.keep("q:a");
      const lease = await scene.claimOne();
      expect(await scene.extend(lease)).toEqual({ held: true, cancel: undefined });
      expect(await scene.nack(lease, { kind: "retry" })).toBe(true);
      expect(await scene.bury(await scene.claimOne())).toBe(true);
      expect(await scene.counts()).toEqual({ dead: 1 });
      if (name !== "quarantine") {
        expect(await scene.setAside()).toContain(`wrong-type ${name}`);
        expect(await scene.raw.get(scene.key(`strange:${name}`))).toBe("planted");
      }
      await scene.audit();
    });
  }

  test("numbers that are none are begun anew, and order goes on", async () => {
    await scene.keep("q:a");
    await scene.raw.hset(scene.key("meta"), { sequence: "x", quarantined: "y", deadDropped: "1.5" });
    await scene.keepInTurn("q:b", "q:c");
    await scene.raw.del(scene.key("t:b"));
    expect(await scene.claimIds()).toEqual(["q:a", "q:c"]);
    await scene.audit();
  });

  test.each(["x", "1e300", "-5", "9000000000000000"])(
    "a sequence of %s keeps no task from being claimed",
    async (sequence) => {
      await scene.keep("q:a", { maxDeliveries: 2 });
      await scene.raw.hset(scene.key("meta"), { sequence });
      expect(await scene.claimIds()).toEqual(["q:a"]);
      await scene.keepInTurn("q:b", "q:c");
      expect(await scene.claimIds()).toEqual(["q:b", "q:c"]);
      await scene.audit();
    },
  );

  test("a mark of a claim and an idempotency key are written over", async () => {
    await scene.raw.lpush(scene.key("claim:r"), "planted");
    await scene.raw.lpush(scene.key("key:work/k"), "planted");
    await scene.keep("q:a", { idempotency: { key: "k", ttlMs: LONG_MS, onDuplicate: "keep" } });
    expect(await scene.claimIds({ requestId: "r" })).toEqual(["q:a"]);
    expect(await scene.claimIds({ requestId: "r" })).toEqual(["q:a"]);
    await scene.raw.set(scene.key("claim:s"), "\xc1junk", "PX", 1_000);
    expect(await scene.claimIds({ requestId: "s" })).toEqual([]);
    await scene.audit();
  });

  test("a record's: the id is taken, and other tasks of the call are kept", async () => {
    await scene.raw.lpush(scene.key("t:a"), "planted");
    const answers = await scene.enqueue(newTask("q:a"), newTask("q:b"));
    expect(answers).toEqual([
      { outcome: "taken", id: "q:a" },
      { outcome: "kept", replaced: undefined },
    ]);
    expect(await scene.raw.lpop(scene.key("t:a"))).toBe("planted");
  });
});

describe("keys that somebody deletes (F14)", () => {
  test("a key of idempotency whose task is gone holds nothing", async () => {
    const idempotency = { key: "k", ttlMs: LONG_MS, onDuplicate: "reject" } as const;
    await scene.keep("q:a", { idempotency });
    await scene.raw.del(scene.key("t:a"));
    await scene.keep("q:b", { idempotency });
    expect(await scene.claimIds()).toEqual(["q:b"]);
    await scene.audit();
  });

  for (const name of ["meta", "leased", "delayed", "ready:work", "handlers", "dead", "finished"]) {
    test(`${name}: no call fails for that`, async () => {
      await scene.keepInTurn("q:a", "q:b", "q:c");
      const lease = await scene.claimOne({ slots: [1] });
      await scene.raw.del(scene.key(name));
      expect(await scene.ack(lease)).toBe(true);
      await scene.keep("q:d");
      expect(await scene.claimIds()).toContain("q:d");
      await scene.counts();
    });
  }
});

describe("a store that forgets (F2, F12)", () => {
  async function lossesDuring(act: () => Promise<void>): Promise<number> {
    let losses = 0;
    const stop = scene.backend.signals.listen(["q"], {
      ...{ wake() {}, cancelAsked() {}, finished() {} },
      storeLost: () => {
        losses++;
      },
    });
    await act();
    stop();
    return losses;
  }

  test("everything: listeners hear of it once, leases of before are refused, and the queue goes on", async () => {
    const lease = await scene.put("q:a", "leased");
    const losses = await lossesDuring(async () => {
      for (const key of await scene.raw.keys(scene.key("*"))) await scene.raw.del(key);
      expect(await scene.ack(lease)).toBe(false);
      await Promise.all([scene.claim(), scene.claim(), scene.claim()]);
      await scene.keep("q:a");
      const { token } = await scene.claimOne();
      expect(token).toBeGreaterThan(lease.token);
    });
    expect(losses).toBe(1);
  });

  test("what came last: listeners hear of it, and a later token is larger than each before", async () => {
    await scene.keep("q:a");
    const old = await scene.raw.dumpBuffer(scene.key("meta"));
    await scene.keepInTurn("q:b", "q:c");
    const losses = await lossesDuring(async () => {
      await scene.raw.restore(scene.key("meta"), 0, old, "REPLACE");
      await scene.claim();
      await scene.claim();
    });
    expect(losses).toBe(1);
  });

  test("nothing: no listener hears anything, however many calls there are at a time", async () => {
    const losses = await lossesDuring(async () => {
      await scene.raw.script("FLUSH");
      await Promise.all(Array.from({ length: 50 }, (_, index) => scene.keep(`q:${index}`)));
      await Promise.all(Array.from({ length: 10 }, () => scene.claim({ slots: [3] })));
    });
    expect(losses).toBe(0);
  });
});
