import { describe, expect, it } from "vitest";
import {
  defineHandlers,
  json,
  memoryBackend,
  StoreFullError,
  StoreUnreachableError,
} from "../../../../src/index.js";
import type {
  BackendRenewer,
  LeaseRenewal,
  RenewalListener,
  RenewedLease,
} from "../../../../src/ports/lease-renewal.js";
import { coreOf } from "../../../../src/task-manager.js";
import { ManualClock } from "../../../../src/testing/index.js";
import { breakClient } from "../../../support/broken-backend.js";
import { createDurable } from "../../../support/faulty-store.js";

const unreachable = new StoreUnreachableError("no answer");
const handlers = defineHandlers({
  mail: { payload: json<string>(), run: async (to) => to },
  forEver: { payload: json<null>(), run: () => new Promise(() => {}), timeoutMs: false },
});

describe("the health of a manager with a store", () => {
  it("is well while nothing is to be done, for as long as that is", async () => {
    const { clock, tasks } = createDurable({ handlers });
    for (let minutes = 0; minutes < 10; minutes++) {
      await clock.advance(60_000);
      expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
      expect(tasks.stats().durable.lastClaimAgoMs).toBeLessThan(6_500);
    }
  });

  it("is well while all slots are taken, and so nothing is claimed, for as long as that is", async () => {
    const { clock, tasks } = createDurable({ handlers, concurrency: 1 });
    for (let n = 0; n < 3; n++) await tasks.enqueueDurable("forEver", null);
    await clock.advance(600_000);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
    const { lastClaimAgoMs, leased, renewals } = tasks.stats().durable;
    expect([leased, renewals]).toEqual([1, 60]);
    expect(lastClaimAgoMs).toBeGreaterThan(590_000);
  });

  it("says that the store is unreachable while claims fail, and no longer than that", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1_000);
    link.fail(unreachable, "claim");
    await clock.advance(7_000);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["store-unreachable"] });
    link.mend();
    await clock.advance(6_000);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
    const { claim } = tasks.stats().durable.calls;
    expect(claim.errors["MILLRACE_STORE_UNREACHABLE"]).toBeGreaterThan(0);
    expect(claim.count).toBeGreaterThan(claim.errors["MILLRACE_STORE_UNREACHABLE"] ?? 0);
  });

  it("says so when a claim is not answered at all, though nothing has failed", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1_000);
    link.hang("claim");
    await clock.advance(11_000);
    expect(tasks.health().concerns).toEqual([]);
    await clock.advance(8_000);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
  });

  it("says so while leases cannot be renewed, and forgets it with the last lease", async () => {
    const { clock, link, tasks } = createDurable({
      handlers,
      concurrency: 1,
      leaseMs: 9_000,
      killAfterMs: 1,
    });
    await tasks.enqueueDurable("forEver", null);
    await clock.advance(1_000);
    link.fail(unreachable, "extend");
    await clock.advance(3_000);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
    expect(tasks.stats().durable.failedRenewals).toBeGreaterThan(0);
    link.fail(unreachable, "claim");
    await clock.advance(5_500);
    expect(tasks.stats().durable).toMatchObject({ leasesLost: 1, leased: 0 });
    link.mend();
    await clock.advance(6_000);
    expect(tasks.health().concerns).not.toContain("store-unreachable");
  });

  it("says so while something else that renews leases cannot, and no longer than that", async () => {
    const clock = new ManualClock();
    const store = memoryBackend({ clock });
    let listener: RenewalListener | undefined;
    const kept: RenewedLease[] = [];
    const nothing = () => {};
    const renewal: LeaseRenewal = {
      ...{ active: true, keep: (leases) => kept.push(...leases) },
      ...{ limit: nothing, release: nothing, catchUp: nothing, close: async () => {} },
    };
    const renewer: BackendRenewer = {
      open: (options) => {
        listener = options.listener;
        return renewal;
      },
    };
    const client = store.connect();
    const backend = breakClient(client, () => ({ renewer }));
    const { tasks } = createDurable({ handlers, backend }, { clock, store });
    await tasks.enqueueDurable("forEver", null);
    await clock.advance(10);
    listener?.failed(unreachable);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
    expect(tasks.stats().durable.calls.extend.errors).toEqual({ MILLRACE_STORE_UNREACHABLE: 1 });
    for (const lease of kept) listener?.renewed(lease, 0, undefined);
    expect(tasks.health().concerns).toEqual([]);
    expect(tasks.stats().durable).toMatchObject({ renewals: 1, failedRenewals: 1 });
  });

  it("says so while the store cannot be told what came of tasks", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    link.fail(unreachable, "ack");
    await tasks.enqueueDurable("mail", "a");
    await clock.advance(1_000);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
    expect(tasks.stats().durable).toMatchObject({ unconfirmed: 1, leased: 1 });
    link.mend();
    await clock.advance(5_000);
    expect(tasks.health().concerns).toEqual([]);
    expect(tasks.stats().durable).toMatchObject({ unconfirmed: 0, leased: 0 });
  });

  it("tells for five minutes that the store has forgotten what it had", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1_000);
    link.tellOfLoss();
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["store-lost"] });
    await clock.advance(299_000);
    expect(tasks.health().concerns).toEqual(["store-lost"]);
    await clock.advance(2_000);
    expect(tasks.health().concerns).toEqual([]);
    expect(tasks.stats().durable.storeLosses).toBe(1);
  });

  it("says so when a producer's last call has failed, until the next one succeeds", async () => {
    const { link, tasks } = createDurable({ handlers, consume: false });
    link.fail(unreachable, "enqueue");
    await expect(tasks.enqueueDurable("mail", "a")).rejects.toThrow("no answer");
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["store-unreachable"] });
    link.mend();
    await tasks.enqueueDurable("mail", "a");
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
  });

  it("is never well while each call of a producer fails, however seldom these are", async () => {
    const { clock, link, tasks } = createDurable({ handlers, consume: false });
    link.fail(unreachable, "enqueue", "cancel");
    for (let minutes = 0; minutes < 10; minutes++) {
      await expect(tasks.enqueueDurable("mail", "a")).rejects.toThrow("no answer");
      for (let seconds = 0; seconds < 60; seconds++) {
        expect(tasks.health().concerns).toEqual(["store-unreachable"]);
        await clock.advance(1_000);
      }
    }
  });

  it("asks the store by itself when a producer whose call failed calls no more", async () => {
    const { clock, link, tasks } = createDurable({ handlers, consume: false });
    link.fail(unreachable, "enqueue", "cancel");
    await expect(tasks.enqueueDurable("mail", "a")).rejects.toThrow("no answer");
    await clock.advance(60_000);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
    link.mend();
    await clock.advance(5_000);
    expect(tasks.health().concerns).toEqual([]);
    const { calls } = tasks.stats().durable;
    expect(calls.enqueue.errors).toEqual({ MILLRACE_STORE_UNREACHABLE: 1 });
    const { count } = calls.cancel;
    await clock.advance(600_000);
    expect(tasks.stats().durable.calls.cancel.count).toBe(count); // and no more, once that is known
  });

  it("does not take the store for reachable again since one can read, while it keeps nothing", async () => {
    const { clock, link, tasks } = createDurable({ handlers, consume: false });
    const kept = await tasks.enqueueDurable("mail", "a");
    link.fail(unreachable, "enqueue", "cancel");
    await expect(tasks.enqueueDurable("mail", "b")).rejects.toThrow("no answer");
    await kept.progress();
    await clock.advance(30_000);
    expect(tasks.stats().durable.calls.read.count).toBeGreaterThan(0);
    expect(tasks.health().concerns).toEqual(["store-unreachable"]);
  });

  it("says for a minute that the store is full, or until it keeps a task, and does not call that unreachable", async () => {
    const { clock, link, tasks } = createDurable({ handlers, consume: false });
    const fill = async () => {
      link.fail(new StoreFullError("no room"), "enqueue");
      await expect(tasks.enqueueDurable("mail", "a")).rejects.toThrow("no room");
      expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["store-full"] });
      link.mend();
    };
    await fill();
    await clock.advance(59_000);
    expect(tasks.health().concerns).toEqual(["store-full"]);
    await clock.advance(1_000);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
    await fill();
    await tasks.enqueueDurable("mail", "a");
    expect(tasks.health().concerns).toEqual([]);
  });

  it("says nothing of what only metrics ask for", async () => {
    const { clock, link, tasks } = createDurable({ handlers });
    await clock.advance(1_000);
    link.failCounts(unreachable);
    await expect(coreOf(tasks).durable?.counts()).rejects.toThrow("no answer");
    expect(tasks.health().concerns).toEqual([]);
  });

  it("has stopped, and nothing more, when a stop cuts off what a producer asks for", async () => {
    const { clock, link, tasks } = createDurable({ handlers, consume: false });
    link.hang("enqueue", "cancel");
    const enqueued = expect(tasks.enqueueDurable("mail", "a")).rejects.toThrow("closed before it answered");
    await clock.advance(10);
    const stopped = tasks.stopNow();
    await clock.advance(5_000);
    await stopped;
    await enqueued;
    expect(tasks.health()).toMatchObject({ status: "stopped", concerns: ["stopped"] });
  });
});
