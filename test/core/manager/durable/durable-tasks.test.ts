import { describe, expect, it } from "vitest";
import { defineHandlers, fixed, json, StoreUnreachableError, TaskManager } from "../../../../src/index.js";
import { ManualClock } from "../../../../src/testing/index.js";
import { createDurable } from "../../../support/faulty-store.js";
import { rejectionOf, untilAborted } from "../../../support/manual-manager.js";

const unreachable = new StoreUnreachableError("no answer");
const backoff = fixed({ delayMs: 1 });
const handlers = defineHandlers({
  mail: { payload: json<string>(), run: async (to) => to, resultTtlMs: 1_000 },
  fails: {
    payload: json<null>(),
    run: () => {
      throw new Error("always");
    },
    ...{ maxAttempts: 2, backoff },
  },
  quiet: {
    payload: json<null>(),
    run: () => {
      throw new Error("always");
    },
    ...{ maxAttempts: 1, deadLetter: false },
  },
  slow: { payload: json<null>(), run: (_, context) => untilAborted(context), maxAttempts: 1 },
});

/** A process of the same store that claims what there is and is never heard of again. */
async function claimAndDie(store: ReturnType<typeof createDurable>["store"], requestId: string) {
  const names = ["mail", "fails", "quiet", "slow"];
  const claimable = names.map((name) => ({ name, lane: 0, room: 10 }));
  const request = { requestId, queue: "default", leaseMs: 1_000, handlers: claimable };
  return await store.connect().claim({ ...request, slots: [10], permits: Number.POSITIVE_INFINITY });
}

describe("the stats of durable tasks", () => {
  it("are zeros where there is no backend, and before anything has happened", async () => {
    const { durable } = new TaskManager().stats();
    expect(durable).toMatchObject({ leased: 0, renewals: 0, lastClaimAgoMs: undefined, storeLosses: 0 });
    expect(durable.calls.claim).toEqual({ count: 0, totalMs: 0, errors: {} });
    expect(Object.isFrozen(durable)).toBe(true);
    const { tasks } = createDurable({ handlers, autoStart: false });
    expect(tasks.stats().durable).toEqual(durable);
  });

  it("say what waits for the store, what is leased, and what is not confirmed yet", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1);
    link.hang("ack");
    await tasks.enqueueDurableMany([
      ["slow", null],
      ["mail", "a"],
    ]);
    await clock.advance(100);
    expect(tasks.stats().durable).toMatchObject({ waitingForStore: 0, leased: 2, unconfirmed: 1 });
    link.hang("enqueue");
    const waiting = rejectionOf(tasks.enqueueDurable("slow", null));
    await clock.settle();
    expect(tasks.stats().durable).toMatchObject({ waitingForStore: 1, leased: 2 });
    await clock.advance(60_000);
    expect(await waiting).toMatchObject({ code: "MILLRACE_STORE_UNREACHABLE" });
    expect(tasks.stats().durable.waitingForStore).toBe(0);
  });

  it("count dead letters by reason, and none where no dead letter is left", async () => {
    const { clock, tasks } = createDurable({ handlers });
    await tasks.enqueueDurableMany([
      ["fails", null],
      ["quiet", null],
      ["slow", null, { timeoutMs: 10 }],
      ["slow", null, { ttlMs: 20 }],
      ["mail", "a"],
    ]);
    await clock.advance(1_000);
    expect(tasks.stats().durable.deadLettered).toEqual({
      error: 1,
      timeout: 1,
      deadline: 1,
      "crash-loop": 0,
    });
    expect(tasks.stats().total).toMatchObject({ failed: 4, completed: 1 });
  });

  it("count what holders have let down: leases given back, tasks that came again, and crash loops", async () => {
    const clock = new ManualClock();
    const { store, tasks } = createDurable({ handlers, autoStart: false }, { clock });
    await tasks.enqueueDurable("mail", "comes again");
    await tasks.enqueueDurable("mail", "too often", { maxDeliveries: 1 });
    expect((await claimAndDie(store, "dead-1")).tasks).toHaveLength(2);
    await clock.advance(1_100);
    tasks.start();
    await clock.advance(10_000);
    const { deadLettered, reclaimed, redelivered } = tasks.stats().durable;
    expect({ reclaimed, redelivered, crashLoops: deadLettered["crash-loop"] }).toEqual({
      ...{ reclaimed: 2, redelivered: 1, crashLoops: 1 },
    });
    expect(tasks.stats().total.completed).toBe(1);
  });

  it("count a lease that was lost once, whether it ran here still or had ended", async () => {
    const { clock, link, tasks } = createDurable({ handlers, leaseMs: 3_000 });
    await tasks.enqueueDurable("slow", null);
    await clock.advance(100);
    link.fail(unreachable, "extend", "claim");
    await clock.advance(3_000);
    expect(tasks.stats().durable).toMatchObject({ leasesLost: 1, ackUnknown: 0, leased: 0 });
  });

  it("count an end that the store has not confirmed in time, and no lost lease for it", async () => {
    const { clock, link, tasks } = createDurable({ handlers, leaseMs: 3_000 });
    link.fail(unreachable, "ack", "extend");
    await tasks.enqueueDurable("mail", "a");
    await clock.advance(4_000);
    expect(tasks.stats().durable).toMatchObject({ ackUnknown: 1, leasesLost: 0 });
  });

  it("are beside a run time that the way to the store is no part of", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1);
    link.fail(unreachable, "deadLetter", "ack");
    const [slow, mail] = await tasks.enqueueDurableMany([
      ["slow", null, { timeoutMs: 200 }],
      ["mail", "a"],
    ]);
    await clock.advance(2_000);
    expect(tasks.get(mail.id)).toMatchObject({ state: "running", runMs: 0 });
    link.mend();
    await clock.advance(10_000);
    expect(tasks.get(mail.id)).toMatchObject({ state: "completed", runMs: 0 });
    expect(tasks.get(slow.id)).toMatchObject({ state: "failed", runMs: 200 });
  });

  it("count what a stop has cut off", async () => {
    const { clock, store, tasks } = createDurable({ handlers });
    await tasks.enqueueDurable("slow", null);
    await clock.advance(100);
    const stopped = tasks.stopNow();
    await clock.advance(1_000);
    expect(await stopped).toMatchObject({ interrupted: 1 });
    expect(tasks.stats().durable).toMatchObject({ interrupted: 1, leased: 0 });
    expect(await store.inspector.counts(["default"])).toMatchObject([{ ready: 1, leased: 0 }]);
  });
});
