import { describe, expect, it } from "vitest";
import type { ClaimHost } from "../../../src/core/durable/claim-host.js";
import { Claimer } from "../../../src/core/durable/claimer.js";
import { toLeaseTerms } from "../../../src/core/durable/lease-terms.js";
import type { ClaimRequest } from "../../../src/ports/backend.js";
import { ManualClock, seededRandom } from "../../../src/testing/index.js";

const NOTHING = { tasks: [], stoppedAtCost: undefined, nextDueMs: undefined, crashed: [], reclaimed: 0 };

/** A claimer of some queues with one slot, over a store that is away until somebody says otherwise. */
function createClaimer({ leaseMs = 30_000, queues = 1 } = {}) {
  const clock = new ManualClock();
  const asked: { readonly at: number; readonly request: ClaimRequest }[] = [];
  const state = { isAway: true, answers: 0, reserved: 0, failures: 0 };
  const leads: number[] = [];
  const host: ClaimHost = {
    beginRound: () => {},
    endRound: () => {},
    reserve: ({ leadMs }) => {
      leads.push(leadMs);
      state.reserved++;
      const release = () => void state.reserved--;
      return { handlers: [], slots: [1], permits: 1, leftOut: [], readyAt: () => 0, release };
    },
    claimed: (_, answer) => {
      if (answer !== undefined) state.answers++;
    },
    failed: () => void state.failures++,
  };
  const claimer = new Claimer({
    ...{ clock, host, strict: false, pollMs: 5_000, requestPrefix: "r" },
    backend: {
      claim: async (request) => {
        asked.push({ at: clock.now(), request });
        if (state.isAway) throw new Error("away");
        return NOTHING;
      },
    },
    random: seededRandom(1),
    terms: toLeaseTerms(leaseMs),
    queues: Array.from({ length: queues }, (_, index) => ({ name: `q${index}`, share: 1 })),
  });
  return { asked, claimer, clock, leads, state };
}

describe("a claimer whose store is away", () => {
  it("F1: notices that the store is back within a second, however long it was away", async () => {
    const { claimer, clock, state } = createClaimer();
    claimer.start();
    await clock.advance(60_000);
    expect(state.answers).toBe(0);
    state.isAway = false;
    await clock.advance(1_000);
    expect(state.answers).toBeGreaterThan(0);
    claimer.stop();
  });

  it("does not take its answers to need as long from then on", async () => {
    const { claimer, clock, leads, state } = createClaimer();
    claimer.start();
    await clock.advance(20_000);
    state.isAway = false;
    await clock.advance(1_000);
    leads.splice(0);
    for (let count = 0; count < 12; count++) {
      claimer.wake("q0");
      await clock.advance(1);
    }
    expect(leads[0]).toBeLessThanOrEqual(51);
    expect(leads.at(-1)).toBeLessThan(5);
    claimer.stop();
  });

  it("asks ever more seldom, and keeps no room meanwhile", async () => {
    const { asked, claimer, clock, state } = createClaimer();
    claimer.start();
    await clock.advance(60_000);
    expect(state.reserved).toBe(0);
    expect(asked.length).toBeLessThan(150);
    const gaps = asked.slice(1).map(({ at }, index) => at - (asked[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50);
    claimer.stop();
  });

  it("asks by the same request as long as the leases that it may have been given are worth having", async () => {
    const { asked, claimer, clock } = createClaimer({ leaseMs: 2_000 });
    claimer.start();
    await clock.advance(5_000);
    const ids = asked.map(({ request }) => request.requestId);
    const first = asked.filter(({ request }) => request.requestId === ids[0]);
    expect(first.length).toBeGreaterThan(1);
    expect((first.at(-1)?.at ?? 0) - (first[0]?.at ?? 0)).toBeLessThanOrEqual(1_000);
    expect(new Set(ids).size).toBeGreaterThan(1);
    claimer.stop();
  });

  it("is done with at once when it is stopped between two attempts", async () => {
    const { asked, claimer, clock } = createClaimer();
    claimer.start();
    await clock.advance(10_000);
    const before = asked.length;
    expect(claimer.busy).toBe(true);
    claimer.stop();
    await clock.settle();
    expect(claimer.busy).toBe(false);
    await clock.advance(60_000);
    expect(asked.length).toBe(before);
  });
});

/** How long each queue was left alone, in order. */
function gapsOf(asked: readonly { readonly at: number; readonly request: ClaimRequest }[]): number[] {
  const last = new Map<string, number>();
  const gaps = asked.map(({ at, request: { queue } }) => {
    const before = last.get(queue) ?? at;
    last.set(queue, at);
    return at - before;
  });
  return gaps.filter((gap) => gap > 0).sort((a, b) => a - b);
}

describe("a claimer of idle queues", () => {
  it.each([
    [1, 30_000, 3_750, 6_250],
    [500, 30_000, 3_750, 6_250],
    [1_000, 30_000, 7_500, 12_500],
    [3_000, 30_000, 18_000, 30_000],
    [3_000, 120_000, 22_500, 37_500],
    [3_000, 1_000, 3_750, 6_250],
  ])("asks each of %i, with leases of %i ms, every %i to %i ms", async (queues, leaseMs, least, most) => {
    const { asked, claimer, clock, state } = createClaimer({ queues, leaseMs });
    state.isAway = false;
    claimer.start();
    await clock.advance(4 * most);
    const gaps = gapsOf(asked);
    expect(gaps.length).toBeGreaterThanOrEqual(3 * queues);
    expect(gaps[0]).toBeGreaterThanOrEqual(least);
    expect(gaps.at(-1)).toBeLessThanOrEqual(most + 100); // the clock moves in steps
    claimer.stop();
  });

  it("asks about a hundred times a second at most, and at once for one that is woken", async () => {
    const { asked, claimer, clock, state } = createClaimer({ queues: 3_000, leaseMs: 60_000 });
    state.isAway = false;
    claimer.start();
    await clock.advance(60_000);
    const before = asked.length;
    await clock.advance(60_000);
    expect((asked.length - before) / 60).toBeLessThan(110); // it was 600
    claimer.wake("q2999");
    await clock.settle();
    expect(asked.at(-1)?.request.queue).toBe("q2999");
    claimer.stop();
  });
});
