import { describe, expect, test } from "vitest";
import {
  type ClaimRequest,
  type MemoryBackendOptions,
  memoryBackend,
  type NewTask,
} from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";

const LONG_MS = 600_000;

function newTask(id: string, said: Partial<NewTask> = {}): NewTask {
  return {
    ...{ id, handler: "work", payload: new Uint8Array(), envelope: "{}", priority: 0, weight: 1, cost: 1 },
    ...{ maxDeliveries: 10, delayMs: 0, runAt: undefined, idempotency: undefined, ...said },
  };
}

function createBackend(options: MemoryBackendOptions = {}) {
  const clock = new ManualClock();
  const backend = memoryBackend({ clock, ...options });
  let calls = 0;
  const claim = (said: Partial<ClaimRequest> = {}) =>
    backend.claim({
      ...{ requestId: `claim-${++calls}`, queue: "q", leaseMs: 1_000, slots: [2_000], permits: Infinity },
      ...{ handlers: [{ name: "work", lane: 0, room: Infinity }], ...said },
    });
  const end = async (resultTtlMs: number) => {
    const { tasks } = await claim({ leaseMs: LONG_MS });
    const outcome = { state: "completed", reason: undefined, value: undefined, error: undefined } as const;
    await backend.ack(
      tasks.map(({ id, token }) => ({ id, token, outcome: { ...outcome, charged: true }, resultTtlMs })),
    );
  };
  const enqueue = (...tasks: readonly NewTask[]) => backend.enqueue(`enqueue-${++calls}`, tasks);
  const counts = async () => (await backend.inspector.counts(["q"]))[0];
  return { backend, clock, claim, enqueue, end, counts };
}

describe("memoryBackend", () => {
  test("refuses options that it does not know, or of another kind", () => {
    const refused: readonly (readonly [unknown, string])[] = [
      [{ clock: {} }, "clock"],
      [{ capacity: 0 }, "capacity"],
      [{ capacty: 1 }, "did you mean `capacity`"],
      [{ deadLetters: { maxEntries: -1 } }, "deadLetters.maxEntries"],
      [{ deadLetters: { ttlMs: Number.NaN } }, "deadLetters.ttlMs"],
      [{ deadLetters: { ttl: 1 } }, "deadLetters.ttl"],
      [7, "options"],
    ];
    for (const [options, text] of refused)
      expect(() => memoryBackend(options as MemoryBackendOptions)).toThrow(text);
    expect(() => memoryBackend({ capacity: undefined, deadLetters: {} })).not.toThrow();
  });

  test("takes the time of the system where it is given no clock", async () => {
    const backend = memoryBackend();
    const before = Date.now();
    await backend.enqueue("one", [newTask("q:a")]);
    const [task] = await backend.inspector.read(["q:a"]);
    expect(task?.enqueuedAt).toBeGreaterThanOrEqual(before);
    expect(task?.enqueuedAt).toBeLessThanOrEqual(Date.now());
  });

  test("starts no timers, whatever waits in it", async () => {
    const { backend, clock, claim, enqueue } = createBackend();
    await enqueue(newTask("q:a", { delayMs: 5_000 }), newTask("q:b"));
    await claim();
    expect(clock.timers).toBe(0);
    await backend.close();
    expect(clock.timers).toBe(0);
  });
});

describe("the capacity of a memory backend", () => {
  test("refuses a batch that there is no room for, and keeps none of it", async () => {
    const { enqueue, counts } = createBackend({ capacity: 3 });
    await enqueue(newTask("q:a"), newTask("q:b"));
    await expect(enqueue(newTask("q:c"), newTask("q:d"))).rejects.toMatchObject({
      code: "MILLRACE_STORE_FULL",
      message: expect.stringContaining("`capacity` is 3"),
    });
    expect(await counts()).toMatchObject({ ready: 2 });
    expect(await enqueue(newTask("q:c"))).toEqual([{ outcome: "kept", replaced: undefined }]);
  });

  test("answers a call that is made again when it is full", async () => {
    const { backend } = createBackend({ capacity: 1 });
    const kept = [{ outcome: "kept", replaced: undefined }];
    expect(await backend.enqueue("one", [newTask("q:a")])).toEqual(kept);
    expect(await backend.enqueue("one", [newTask("q:a")])).toEqual(kept);
    expect(await backend.enqueue("two", [newTask("q:a")])).toEqual([{ outcome: "taken", id: "q:a" }]);
  });

  test("lets what is there go on, and has room when that is forgotten", async () => {
    const { clock, enqueue, end, counts } = createBackend({ capacity: 1 });
    await enqueue(newTask("q:a"));
    await end(LONG_MS);
    await expect(enqueue(newTask("q:b"))).rejects.toThrow("capacity");
    await clock.advance(LONG_MS + 1);
    expect(await counts()).toMatchObject({ finished: 0 });
    await clock.advance(1);
    await enqueue(newTask("q:b"));
    expect(await counts()).toMatchObject({ ready: 1 });
  });

  test("counts keys that are held beyond their tasks", async () => {
    const { clock, enqueue, end } = createBackend({ capacity: 1 });
    const idempotency = { key: "key", ttlMs: 2 * LONG_MS, onDuplicate: "keep" } as const;
    await enqueue(newTask("q:a", { idempotency }));
    await end(0);
    await clock.advance(LONG_MS);
    await expect(enqueue(newTask("q:b"))).rejects.toThrow("capacity");
    await clock.advance(LONG_MS + 1);
    await enqueue(newTask("q:b"));
  });
});

describe("the dead letters of a memory backend", () => {
  async function bury(kit: ReturnType<typeof createBackend>, count: number): Promise<void> {
    await kit.enqueue(...Array.from({ length: count }, (_, index) => newTask(`q:${index}`)));
    const { tasks } = await kit.claim();
    const rest = { reason: "error", error: "{}", charged: true, resultTtlMs: 0 };
    await kit.backend.deadLetter(tasks.map(({ id, token }) => ({ id, token, ...rest })));
  }

  test("are 10,000 at most, and kept for 14 days, unless it is told otherwise", async () => {
    const kit = createBackend();
    await bury(kit, 2_000);
    const rest = { reason: "error", error: "{}", charged: true, resultTtlMs: 0 };
    await kit.enqueue(...Array.from({ length: 8_001 }, (_, index) => newTask(`q:more-${index}`)));
    for (let { tasks } = await kit.claim(); tasks.length > 0; { tasks } = await kit.claim())
      await kit.backend.deadLetter(tasks.map(({ id, token }) => ({ id, token, ...rest })));
    expect(await kit.counts()).toMatchObject({ dead: 10_000, deadDropped: 1 });
    await kit.clock.advance(14 * 86_400_000 - 1);
    expect(await kit.counts()).toMatchObject({ dead: 10_000 });
    await kit.clock.advance(1);
    // A hundred at a time, so that no call takes long.
    expect(await kit.counts()).toMatchObject({ dead: 9_900, deadDropped: 101 });
    for (let calls = 0; calls < 99; calls++) await kit.claim();
    expect(await kit.counts()).toMatchObject({ dead: 0, deadDropped: 10_001 });
  });

  test("are none where none are wanted, each counted", async () => {
    const kit = createBackend({ deadLetters: { maxEntries: 0 } });
    await bury(kit, 3);
    expect(await kit.counts()).toMatchObject({ dead: 0, deadDropped: 3 });
    expect(await kit.backend.inspector.read(["q:0"])).toEqual([undefined]);
  });
});

describe("the keys of a memory backend", () => {
  const key = (ttlMs: number, onDuplicate: "keep" | "replace" = "keep") => ({
    idempotency: { key: "key", ttlMs, onDuplicate },
  });
  const all = { queue: "q", ids: undefined, handler: undefined, reason: undefined };

  async function buryOne({ backend, claim }: ReturnType<typeof createBackend>): Promise<void> {
    const { id = "", token = 0 } = (await claim()).tasks[0] ?? {};
    const rest = { reason: "error", error: "{}", charged: true, resultTtlMs: LONG_MS };
    expect(await backend.deadLetter([{ id, token, ...rest }])).toEqual([true]);
  }

  test("are held again by a task that is replayed, as long as it lives", async () => {
    const kit = createBackend();
    await kit.enqueue(newTask("q:a", key(1_000)));
    await buryOne(kit);
    await kit.backend.inspector.replay(all);
    await kit.clock.advance(2_000);
    expect(await kit.enqueue(newTask("q:b", key(0)))).toEqual([{ outcome: "duplicate", id: "q:a" }]);
    await buryOne(kit);
    expect(await kit.enqueue(newTask("q:b", key(0)))).toEqual([{ outcome: "kept", replaced: undefined }]);
  });

  test.each(["ends", "is cancelled"])(
    "stay with who has taken them from one that is replayed, and %s",
    async (how) => {
      const kit = createBackend();
      await kit.enqueue(newTask("q:a", key(0)));
      await buryOne(kit);
      await kit.enqueue(newTask("q:b", { ...key(0), delayMs: LONG_MS }));
      await kit.backend.inspector.replay(all);
      if (how === "ends") await kit.end(LONG_MS);
      else await kit.backend.cancel([{ id: "q:a", error: "{}", resultTtlMs: LONG_MS }]);
      expect(await kit.enqueue(newTask("q:c", key(0)))).toEqual([{ outcome: "duplicate", id: "q:b" }]);
    },
  );

  test("do not let another task be replaced that only has the id of their holder", async () => {
    const kit = createBackend();
    await kit.enqueue(newTask("q:a", key(2 * LONG_MS)));
    await kit.end(0);
    await kit.clock.advance(60_000);
    await kit.counts();
    await kit.enqueue(newTask("q:a"));
    const asks = newTask("q:b", key(0, "replace"));
    expect(await kit.enqueue(asks)).toEqual([{ outcome: "duplicate", id: "q:a" }]);
    expect(await kit.counts()).toMatchObject({ ready: 1 });
  });
});

describe("a claim of a memory backend", () => {
  test("makes a hundred tasks dead letters at most, and says that there are more", async () => {
    const { claim, enqueue } = createBackend();
    await enqueue(...Array.from({ length: 150 }, (_, index) => newTask(`q:${index}`, { maxDeliveries: 1 })));
    expect((await claim({ leaseMs: 0 })).tasks).toHaveLength(150);
    const reclaimed = [await claim({ slots: [0] }), await claim({ slots: [0] })];
    expect(reclaimed.map((answer) => [answer.reclaimed, answer.crashed])).toEqual([
      [100, []],
      [50, []],
    ]);
    const first = await claim();
    expect([first.crashed.length, first.nextDueMs]).toEqual([100, 0]);
    const second = await claim();
    expect([second.crashed.length, second.nextDueMs]).toEqual([50, undefined]);
  });
});

describe("a memory backend whose wall clock steps", () => {
  test("back, lets leases expire when they would have (T3)", async () => {
    const { clock, claim, enqueue } = createBackend();
    await enqueue(newTask("q:a"));
    const first = (await claim()).tasks[0];
    clock.shiftWall(-3_600_000);
    expect((await claim()).tasks).toEqual([]);
    await clock.advance(1_001);
    const second = (await claim()).tasks[0];
    expect(second).toMatchObject({ id: "q:a", deliveries: 2 });
    expect(second?.token).toBeGreaterThan(first?.token ?? Infinity);
  });

  test("forward, gives each leased task to another once, and refuses the holder it had (T3)", async () => {
    const { backend, clock, claim, enqueue } = createBackend();
    await enqueue(newTask("q:a"));
    const first = (await claim()).tasks[0];
    clock.shiftWall(3_600_000);
    const second = (await claim()).tasks[0];
    expect(second?.deliveries).toBe(2);
    const { id, token } = first ?? { id: "", token: 0 };
    const extension = { id, token, leaseMs: 1_000, progress: undefined };
    expect(await backend.extend([extension])).toEqual([{ held: false, cancel: undefined }]);
    expect((await claim()).tasks).toEqual([]);
  });

  test("back, keeps what was to wait for an instant until that has come", async () => {
    const { clock, claim, enqueue } = createBackend();
    await enqueue(newTask("q:a", { runAt: clock.wallNow() + 1_000 }));
    clock.shiftWall(-5_000);
    await clock.advance(1_001);
    expect(await claim()).toMatchObject({ tasks: [], nextDueMs: 4_999 });
    await clock.advance(4_999);
    expect((await claim()).tasks).toHaveLength(1);
  });
});

describe("the signals of a memory backend", () => {
  const silent = { cancelAsked() {}, finished() {}, storeLost() {} };

  test("come when all is done, so that a listener may claim at once", async () => {
    const { backend, claim, enqueue } = createBackend();
    const claimed: unknown[] = [];
    backend.signals.listen(["q"], {
      ...silent,
      wake: () => void claim().then(({ tasks }) => claimed.push(tasks.map(({ id }) => id))),
    });
    await enqueue(newTask("q:a"), newTask("q:b", { priority: -1 }));
    await Promise.resolve();
    expect(claimed).toEqual([["q:b", "q:a"]]);
  });

  test("wake others where more has become due than a claim takes, and only there", async () => {
    const { backend, clock, claim, enqueue } = createBackend();
    const woken: string[] = [];
    await enqueue(...["q:a", "q:b", "q:c"].map((id) => newTask(id, { delayMs: 10 })));
    backend.signals.listen(["q"], { ...silent, wake: (queue) => woken.push(queue) });
    await clock.advance(10);
    expect((await claim({ slots: [2] })).tasks).toHaveLength(2);
    expect(woken).toEqual(["q"]);
    await claim();
    await clock.advance(1_000);
    expect((await claim()).reclaimed).toBe(3);
    expect(woken).toEqual(["q"]);
  });

  test("are heard by nobody when a client is closed", async () => {
    const { backend, enqueue } = createBackend();
    const other = backend.connect();
    const woken: string[] = [];
    other.signals.listen(["q"], { ...silent, wake: (queue) => woken.push(queue) });
    await enqueue(newTask("q:a"));
    await other.close();
    await enqueue(newTask("q:b"));
    expect(woken).toEqual(["q"]);
  });
});
