import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StoredOutcome } from "../../../src/task/stored-outcome.js";
import { LONG_MS } from "../../../src/testing/conformance/backend/backend-trial.js";
import {
  completed,
  newTask,
  newTasks,
  STORED_ERROR,
} from "../../../src/testing/conformance/backend/stored-things.js";
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

/** Makes all leases and delays of the queue `q` look as if so much time had passed. */
async function shift(index: "leased" | "delayed", ms: number): Promise<void> {
  const members = await scene.raw.zrange(scene.key(index), "0", "-1");
  const pipeline = scene.raw.pipeline();
  for (const member of members) pipeline.zincrby(scene.key(index), -ms, member);
  await pipeline.exec();
}

describe("bounds of one claim (D14, D22)", () => {
  test("it promotes a hundred, says that there are more, and loses none", async () => {
    await scene.backend.enqueue("r", newTasks(250, { delayMs: LONG_MS }));
    await shift("delayed", LONG_MS);
    const first = await scene.claim({ slots: [1] });
    expect(await scene.counts()).toEqual({ ready: 99, delayed: 150, leased: 1 });
    expect(first.nextDueMs).toBe(0);
    await scene.claim({ slots: [1] });
    await scene.claim({ slots: [1] });
    expect(await scene.counts()).toEqual({ ready: 247, leased: 3 });
    const { tasks } = await scene.claim();
    expect(tasks.map(({ id }) => id)).toEqual(
      newTasks(250)
        .slice(3)
        .map(({ id }) => id),
    );
    await scene.audit();
  });

  test("it reclaims a hundred, and each lease comes back once", async () => {
    await scene.backend.enqueue("r", newTasks(250));
    const before = await scene.claim();
    expect(before.tasks).toHaveLength(250);
    await shift("leased", LONG_MS);
    const after = await scene.claim({ slots: [1] });
    expect([after.reclaimed, after.nextDueMs]).toEqual([100, 0]);
    expect(await scene.counts()).toEqual({ ready: 99, leased: 151 });
    const rest = await scene.claim({ slots: [1] });
    const last = await scene.claim({ slots: [1] });
    expect([rest.reclaimed, last.reclaimed]).toEqual([100, 50]);
    await scene.audit();
  });

  test("it gives so many tasks that the answer stays small, and says that there are more", async () => {
    const payload = new Uint8Array(1_048_576);
    for (let i = 0; i < 12; i++) await scene.keep(`q:${i}`, { payload });
    const first = await scene.claim();
    expect(first.tasks.length).toBeLessThan(12);
    expect(first.nextDueMs).toBe(0);
    const second = await scene.claim();
    expect(first.tasks.length + second.tasks.length).toBe(12);
  });

  test("no script takes long where thirty thousand are ready and ten thousand have expired", async () => {
    for (let i = 0; i < 10; i++) await scene.backend.enqueue(`e${i}`, newTasks(1_000, {}, `q:expired-${i}`));
    for (let claimed = 0; claimed < 10_000; ) claimed += (await scene.claim()).tasks.length;
    await shift("leased", LONG_MS);
    for (let i = 0; i < 30; i++) await scene.backend.enqueue(`r${i}`, newTasks(1_000, {}, `q:ready-${i}`));
    await scene.raw.config("SET", "slowlog-log-slower-than", "100000");
    await scene.raw.slowlog("RESET");
    let reclaimed = 0;
    for (let i = 0; i < 100; i++) reclaimed += (await scene.claim({ slots: [10] })).reclaimed;
    expect(reclaimed).toBe(10_000);
    expect(await scene.raw.slowlog("LEN")).toBe(0);
    expect(await scene.counts()).toEqual({ ready: 39_000, leased: 1_000 });
  }, 60_000);
});

describe("a claim that is made again", () => {
  test("gives the same leases, and only those that are still held", async () => {
    await scene.backend.enqueue("r", newTasks(3, { payload: Buffer.from("bytes") }));
    const request = scene.toRequest();
    const first = await scene.backend.claim(request);
    const timeless = first.tasks.map(({ claimedAt: _, ...task }) => task);
    expect((await scene.backend.claim(request)).tasks).toMatchObject(timeless);
    const [lease] = first.tasks;
    if (lease) await scene.ack(lease);
    expect((await scene.backend.claim(request)).tasks).toMatchObject(timeless.slice(1));
    await scene.audit();
  });

  test("leaves a mark for no longer than its leases", async () => {
    await scene.keep("q:a");
    await scene.claim({ requestId: "full", leaseMs: 5_000 });
    const left = await scene.raw.pttl(scene.key("claim:full"));
    expect(left).toBeGreaterThan(4_000);
    expect(left).toBeLessThanOrEqual(5_000);
  });
});

describe("clocks of the server (T3)", () => {
  test("set back: a lease lasts no longer than it was given for", async () => {
    await scene.keep("q:a");
    await scene.claimBriefly();
    await shift("leased", -3_600_000); // as if an hour had been taken back since
    expect((await scene.claim()).tasks).toEqual([]);
    await scene.expire();
    expect(await scene.claimIds()).toEqual(["q:a"]);
  });

  test("set back: tokens grow all the same", async () => {
    await scene.keep("q:a");
    const ahead = 2 ** 53 - 1_000;
    const bytes = Buffer.alloc(7);
    bytes.writeUIntBE(Math.floor(ahead / 256), 0, 6);
    bytes.writeUInt8(ahead % 256, 6);
    await scene.raw.setrange(scene.key("t:a"), 3, bytes);
    const { token } = await scene.claimOne();
    expect(token).toBe(ahead + 1);
    expect(await scene.ack({ id: "q:a", token: ahead })).toBe(false);
    expect(await scene.ack({ id: "q:a", token })).toBe(true);
  });
});

describe("names and numbers (Z5, V2)", () => {
  test("an idempotency key of one handler is not that of another whose name is longer", async () => {
    const idempotency = (key: string) => ({ key, ttlMs: LONG_MS, onDuplicate: "keep" }) as const;
    await scene.keep("q:1", { handler: "a", idempotency: idempotency("b:c") });
    await scene.keep("q:2", { handler: "a:b", idempotency: idempotency("c") });
    await scene.keep("q:3", { handler: "a", idempotency: idempotency("%1 \r\n\0*?[x]") });
    await scene.audit();
  });

  test("what frees a key by a failure is kept beside a task of which nothing else is, or what it replaced", async () => {
    const free = { key: "k", ttlMs: LONG_MS, onDuplicate: "replace", onFailure: "free" } as const;
    await scene.keep("q:1", { idempotency: free });
    await scene.enqueue(newTask("q:2", { idempotency: free }));
    await scene.keep("q:3", { idempotency: { ...free, key: "held", onFailure: "hold" } });
    await scene.audit();
    const lease = await scene.claimOne({ slots: [1] });
    expect([lease.id, await scene.bury(lease)]).toEqual(["q:2", true]);
    expect(await scene.raw.exists(scene.key("key:work/k"), scene.key("x:3"))).toBe(0);
    await scene.audit();
    expect(await scene.bury(await scene.claimOne())).toBe(true);
    expect(await scene.raw.get(scene.key("key:work/held"))).toBe("3");
    await scene.audit();
  });

  test("signs of percent in what is put into a text are themselves", async () => {
    const idempotency = { key: "k", ttlMs: LONG_MS, onDuplicate: "replace" } as const;
    await scene.keep("q:%1%%", { idempotency });
    await scene.enqueue(newTask("q:%2", { idempotency }));
    expect((await scene.find("q:%1%%")).outcome?.error).toContain("Task q:%1%% was replaced by q:%2");
  });

  test("the name of a queue cannot leave its hash tag", async () => {
    await expect(scene.enqueue(newTask("q}x:1"))).rejects.toThrow(/no braces/);
    await expect(scene.enqueue(newTask("no-queue"))).rejects.toThrow(/queue:rest/);
  });

  test("payloads are kept at each length at which their form changes", async () => {
    for (const length of [0, 1, 255, 256, 423, 424, 425, 512, 1_200, 1_600, 70_000]) {
      const payload = Uint8Array.from({ length }, (_, index) => index % 251);
      const envelope = "€".repeat(Math.floor(length / 3));
      await scene.keep(`q:${length}`, { payload, envelope });
      const task = await scene.claimOne();
      expect(Buffer.compare(task.payload, payload)).toBe(0);
      expect(task.envelope).toBe(envelope);
      await scene.ack(task);
      expect(await scene.find(`q:${length}`)).toMatchObject({ payload: undefined, envelope });
    }
    await scene.audit();
  });
});

describe("the end of a task that has nothing beside it", () => {
  /** Ends two tasks by one call, one of which has told of its progress; gives what is kept of both. */
  async function endBoth(outcome: StoredOutcome, resultTtlMs: number): Promise<readonly [Buffer, Buffer]> {
    const envelope = '{"v":1}';
    await scene.backend.enqueue("r", [newTask("q:plain", { envelope }), newTask("q:other", { envelope })]);
    const failed = (await scene.claim()).tasks;
    const back = { kind: "retry", delayMs: 0, error: undefined } as const;
    await scene.backend.nack(failed.map(({ id, token }) => ({ id, token, ...back })));
    const { tasks } = await scene.claim();
    const other = tasks.find(({ id }) => id === "q:other");
    if (other === undefined) throw new Error("Both are claimed");
    await scene.extend(other, { progress: Buffer.from("half") });
    const ends = tasks.map(({ id, token }) => ({ id, token, outcome, resultTtlMs }));
    expect(await scene.backend.ack(ends)).toEqual([true, true]);
    const ttl = await scene.raw.pttl(scene.key("t:plain"));
    expect(ttl).toBeGreaterThan(Math.max(resultTtlMs, 60_000) - 20_000);
    expect(ttl).toBeLessThanOrEqual(Math.max(resultTtlMs, 60_000));
    const kept = await scene.raw.mgetBuffer(scene.key("t:plain"), scene.key("t:other"));
    expect(await scene.backend.ack(ends)).toEqual([true, true]); // it is known that they were ended so
    expect(await scene.raw.mgetBuffer(scene.key("t:plain"), scene.key("t:other"))).toEqual(kept);
    await scene.audit();
    return [kept[0] ?? Buffer.alloc(0), kept[1] ?? Buffer.alloc(0)];
  }

  /** Where they differ: whether something is beside them, their sequences, and their numbers in the call. */
  const OWN = [2, 15, 87 + "work".length + 6];

  test.each([
    ["completed, with a value", completed(Buffer.from("a value")), LONG_MS],
    ["completed, with none", completed(), LONG_MS],
    ["not charged", { ...completed(), charged: false }, LONG_MS],
    ["kept for less than a minute", completed(), 1_000],
    ["not kept", completed(), 0],
  ])("leaves the same as that of any other: %s", async (_, outcome, resultTtlMs) => {
    const [plain, other] = await endBoth(outcome, resultTtlMs);
    const places = plain.map((byte, place) => (byte === other[place] ? 0 : 1));
    expect(plain.length).toBe(other.length);
    expect([...places.keys()].filter((place) => places[place] === 1)).toEqual(OWN);
    expect(plain.readUInt32BE(18)).toBe(outcome.charged ? 2 : 1);
  });

  test("is refused to whoever holds it no longer, and changes nothing", async () => {
    await scene.keep("q:a");
    const { id, token } = await scene.claimOne();
    const before = await scene.raw.getBuffer(scene.key("t:a"));
    expect(await scene.ack({ id, token: token + 1 })).toBe(false);
    expect(await scene.ack({ id, token: token - 1 })).toBe(false);
    expect(await scene.raw.getBuffer(scene.key("t:a"))).toEqual(before);
    expect(await scene.ack({ id, token })).toBe(true);
    await scene.audit();
  });
});

test("all keys begin with the prefix and the queue, in braces (F21, G1)", async () => {
  const monitor = await scene.raw.monitor();
  const seen: string[][] = [];
  monitor.on("monitor", (_time: string, args: string[]) => seen.push(args));
  const idempotency = { key: "k", ttlMs: LONG_MS, onDuplicate: "replace" } as const;
  await scene.keep("q:a", { idempotency, maxDeliveries: 1 });
  await scene.enqueue(newTask("q:b", { idempotency }));
  await scene.keep("q:c", { delayMs: 1 });
  await scene.cancel("q:c");
  await scene.bury(await scene.claimOne());
  await scene.backend.inspector.replay({ queue: "q", ids: undefined, handler: undefined, reason: undefined });
  await scene.nack(await scene.claimBriefly(), { delayMs: 1 });
  await scene.expire();
  await scene.extend(await scene.claimBriefly());
  await scene.counts();
  await scene.raw.ping("end of what is looked at");
  await expect.poll(() => seen.some(([name, text]) => name === "ping" && text?.startsWith("end"))).toBe(true);
  monitor.disconnect();
  const scripts = seen.filter(([name]) => /^eval/i.test(name ?? ""));
  expect(scripts.length).toBeGreaterThan(5);
  for (const [, , keys, meta] of scripts) expect([keys, meta]).toEqual(["1", scene.key("meta")]);
  const keyless = /^(eval|evalsha|ping|time|info|hello|auth|client|script|select|monitor)$/i;
  const keyed = seen.filter(([name]) => !keyless.test(name ?? ""));
  expect(keyed.length).toBeGreaterThan(50);
  expect(keyed.filter(([, key]) => !key?.startsWith(scene.key("")))).toEqual([]);
});

test.each(["counts", "read"] as const)(
  "`%s` keeps the outcome of a dead letter that it drops",
  async (call) => {
    const limited = await RedisScene.open(server, { deadLetters: { ttlMs: 50 } });
    await limited.put("q:a", "dead");
    await limited.passMs(80);
    if (call === "counts") expect(await limited.counts()).toEqual({ finished: 1, deadDropped: 1 });
    else expect(await limited.read("q:a")).toMatchObject({ place: "finished" });
    await limited.audit();
    await limited.close();
  },
);

test("attempts and instants that are larger than most are kept as they are", async () => {
  await scene.keep("q:a", { idempotency: { key: "k", ttlMs: 2 ** 50, onDuplicate: "keep" } });
  await scene.raw.setrange(scene.key("t:a"), 18, "\x7f\x01\x02\x03");
  const lease = await scene.claimOne();
  expect(lease.attempts).toBe(0x7f010203);
  await scene.ack(lease, { resultTtlMs: 2 ** 48 - 1e9 });
  expect(await scene.find("q:a")).toMatchObject({ place: "finished", attempts: 0x7f010204 });
  expect(await scene.counts()).toEqual({ finished: 1 });
  await scene.audit();
});

test("a store without tasks leaves behind what there is once for each queue alone (D1)", async () => {
  await scene.keep("q:a", { handler: "work" });
  await scene.ack(await scene.claimOne({ leaseMs: 100 }), { resultTtlMs: 0 });
  await scene.raw.del(scene.key("t:a")); // it is remembered for a minute
  await expect.poll(() => scene.raw.keys(scene.key("*"))).toHaveLength(2);
  const left = await scene.raw.keys(scene.key("*"));
  expect(left.sort()).toEqual([scene.key("handlers"), scene.key("meta")]);
});

test("the index of outcomes goes with the last of them, by itself, however they came to be", async () => {
  const HOUR_MS = 3_600_000;
  const left = () => scene.raw.pttl(scene.key("finished"));
  const upTo = async (ms: number) => {
    const leftMs = await left();
    expect(leftMs).toBeGreaterThan(ms - 30_000);
    expect(leftMs).toBeLessThanOrEqual(ms + 61_000);
  };
  await scene.keep("q:a");
  expect(await scene.ack(await scene.claimOne(), { resultTtlMs: HOUR_MS })).toBe(true);
  await upTo(HOUR_MS);
  await scene.keep("q:b");
  await scene.ack(await scene.claimOne(), { resultTtlMs: 1_000 }); // no shorter than the one before needs
  await upTo(HOUR_MS);
  await scene.keep("q:c");
  await scene.backend.cancel([{ id: "q:c", error: STORED_ERROR, resultTtlMs: 2 * HOUR_MS }]);
  await upTo(2 * HOUR_MS);
  await scene.keep("q:d");
  await scene.ack(await scene.claimOne(), { resultTtlMs: 1e300 });
  expect(await left()).toBeGreaterThan(2 ** 46);
  expect(await scene.counts()).toMatchObject({ finished: 4 });
});

test("a call with thousands of tasks is made in portions, and the same call again changes nothing", async () => {
  const tasks = newTasks(2_500);
  const kept = tasks.map(() => ({ outcome: "kept", replaced: undefined }));
  expect(await scene.backend.enqueue("r", tasks)).toEqual(kept);
  expect(await scene.backend.enqueue("r", tasks)).toEqual(kept);
  expect(await scene.counts()).toEqual({ ready: 2_500 });
  expect(await scene.backend.enqueue("r", [])).toEqual([]);
  expect((await scene.claimIds()).slice(0, 3)).toEqual(["q:task-0", "q:task-1", "q:task-2"]);
});

describe("looking at large tasks", () => {
  const LARGE = { payload: new Uint8Array(500_000) };
  const IDS = newTasks(30).map(({ id }) => id);

  /** What Redis sends while something is done, in bytes. */
  async function sent(act: () => Promise<unknown>): Promise<number> {
    const read = async () =>
      Number((await scene.raw.info("stats")).match(/total_net_output_bytes:(\d+)/)?.[1]);
    const before = await read();
    await act();
    return (await read()) - before;
  }

  test("payloads that nobody asked for stay where they are", async () => {
    await scene.backend.enqueue("r", newTasks(30, LARGE));
    const { inspector } = scene.backend;
    const read = () => inspector.read(IDS, { payloads: false });
    expect((await read()).map((task) => task?.place)).toEqual(IDS.map(() => "ready"));
    expect(await sent(read)).toBeLessThan(30 * 1_000);
    expect(await sent(() => inspector.read(IDS))).toBeGreaterThan(30 * 500_000);
  });

  test("more than fits into an answer comes in several, in order", async () => {
    await scene.backend.enqueue("r", newTasks(30, LARGE));
    for (const lease of (await scene.claim()).tasks.slice(0, 10))
      await scene.ack(lease, { outcome: completed(new Uint8Array(500_000).fill(1)) });
    const found = await scene.backend.inspector.read([...IDS, "q:nobody", ...IDS]);
    expect(found.map((task) => task?.id)).toEqual([...IDS, undefined, ...IDS]);
    expect(found.filter((task) => task?.outcome?.value?.length === 500_000)).toHaveLength(20);
    expect(found.filter((task) => task?.payload?.length === 500_000)).toHaveLength(40);
  });
});
