import { describe, expect, test } from "vitest";
import { RenewalLoop } from "../../../../src/adapters/redis/renewal/inside/renewal-loop.js";
import { KeptLeases } from "../../../../src/adapters/redis/renewal/kept-leases.js";
import { LeaseTable } from "../../../../src/adapters/redis/renewal/lease-table.js";
import { LifeWords } from "../../../../src/adapters/redis/renewal/life-words.js";
import type { MessageFromRenewal } from "../../../../src/adapters/redis/renewal/messages.js";
import type { ExtendAnswer, Extension } from "../../../../src/ports/backend.js";

const LEASE_MS = 3_000;
const MAX_BLOCKED_MS = 10_000;

function scene() {
  let now = 0;
  const table = new LeaseTable(0);
  const kept = new KeptLeases(table);
  const life = new LifeWords();
  const pulses = new Int32Array(4);
  const posted: MessageFromRenewal[] = [];
  const extended: string[] = [];
  let answer: () => ExtendAnswer = () => ({ held: true, cancel: undefined });
  const loop = new RenewalLoop({
    ...{ life, pulses, leaseMs: LEASE_MS, maxBlockedMs: MAX_BLOCKED_MS, leases: table, now: () => now },
    extend: async (extensions: readonly Extension[]) => {
      extended.push(`${extensions.map(({ id }) => id)} at ${now}`);
      return extensions.map(answer);
    },
    post: (message) => posted.push(message),
  });
  return {
    ...{ extended, kept, life, loop, posted, pulses },
    keep: (...ids: string[]) => {
      const leases = ids.map((id) => ({ id, token: 1 }));
      kept.keep(leases, now + LEASE_MS / 3);
    },
    answers: (next: () => ExtendAnswer) => {
      answer = next;
    },
    /**
     * The thread goes on for so long; the main thread as well, unless it is said to be silent, and those
     * workers whose pulses are said to turn.
     */
    advance: async (ms: number, { silent = false, turning = [] as number[], stepMs = 100 } = {}) => {
      for (const until = now + ms; now < until; ) {
        now += stepMs;
        if (!silent) life.beatMain();
        for (const pulse of turning) pulses[pulse] = (pulses[pulse] ?? 0) + 1;
        loop.tick();
        await Promise.resolve();
        await Promise.resolve();
      }
    },
  };
}

describe("RenewalLoop", () => {
  test("renews every third of a lease, those that are nearly due along with those that are", async () => {
    const { advance, extended, keep } = scene();
    keep("q:a");
    await advance(200);
    keep("q:b");
    await advance(2_300);
    expect(extended).toEqual(["q:a,q:b at 1000", "q:a,q:b at 2000"]);
  });

  test("asks the store nothing for a task that is over before it is due", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:a", "q:b");
    await advance(500);
    kept.release({ id: "q:a", token: 1 });
    await advance(700);
    expect(extended).toEqual(["q:b at 1000"]);
  });

  test("lets go of what needs the main thread when that is silent, and takes it up again", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:inline", "q:thread");
    kept.limit({ id: "q:thread", token: 1 }, 15_000, "nobody");
    await advance(100);
    await advance(MAX_BLOCKED_MS + 10_000, { silent: true });
    const times = (id: string) => extended.filter((call) => call.includes(id)).length;
    expect([times("q:inline"), times("q:thread")]).toEqual([10, 15]);
    extended.length = 0;
    await advance(1_000);
    expect(extended[0]).toMatch(/^q:inline at/);
  });

  test("keeps what needs a worker while that turns, though the main thread is silent", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:a", "q:b", "q:c");
    kept.limit({ id: "q:a", token: 1 }, Number.POSITIVE_INFINITY, 2);
    kept.limit({ id: "q:b", token: 1 }, Number.POSITIVE_INFINITY, 3);
    await advance(100);
    await advance(5 * MAX_BLOCKED_MS, { silent: true, turning: [2] });
    const times = (id: string) => extended.filter((call) => call.includes(id)).length;
    expect([times("q:a"), times("q:b"), times("q:c")]).toEqual([50, 10, 10]);
  });

  test("takes a lease up again whose worker turns again", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:a");
    kept.limit({ id: "q:a", token: 1 }, Number.POSITIVE_INFINITY, 0);
    await advance(MAX_BLOCKED_MS + 5_000);
    extended.length = 0;
    await advance(200, { turning: [0] });
    expect(extended).toHaveLength(1);
  });

  test("holds no silence of before against a task that comes to a worker, or goes to another", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:a");
    kept.limit({ id: "q:a", token: 1 }, Number.POSITIVE_INFINITY, 1);
    await advance(MAX_BLOCKED_MS + 2_000);
    expect(extended).toHaveLength(10);
    kept.release({ id: "q:a", token: 1 });
    keep("q:b");
    kept.limit({ id: "q:b", token: 1 }, Number.POSITIVE_INFINITY, 1);
    await advance(MAX_BLOCKED_MS / 2);
    kept.limit({ id: "q:b", token: 1 }, Number.POSITIVE_INFINITY, 0);
    await advance(MAX_BLOCKED_MS / 2 + 2_000);
    expect(extended.slice(10).every((call) => call.startsWith("q:b"))).toBe(true);
    expect(extended).toHaveLength(22);
  });

  test("does not count time in which it stood still itself as silence of others", async () => {
    const { advance, extended, keep, kept } = scene();
    keep("q:main", "q:worker");
    kept.limit({ id: "q:worker", token: 1 }, Number.POSITIVE_INFINITY, 0);
    await advance(20 * MAX_BLOCKED_MS, { silent: true, stepMs: 2 * MAX_BLOCKED_MS });
    expect(extended).toHaveLength(10);
    expect(extended.every((call) => call.startsWith("q:main,q:worker"))).toBe(true);
  });

  test("reports what was held, what was not, and whom somebody wants to cancel", async () => {
    const { advance, answers, extended, keep, posted } = scene();
    answers(() => ({ held: true, cancel: "reason" }));
    keep("q:a");
    await advance(1_000);
    answers(() => ({ held: false, cancel: undefined }));
    await advance(2_000);
    const leases = (held: boolean, cancel?: string) => [["q:a", 1, { held, cancel }]];
    expect(posted).toEqual([
      { type: "answered", sentAt: 1_000, leases: leases(true, "reason") },
      { type: "answered", sentAt: 2_000, leases: leases(false) },
    ]);
    expect(extended).toHaveLength(2); // it is not asked for again
  });

  test("tries again soon when the store did not answer, and says so", async () => {
    const { advance, answers, extended, keep, posted } = scene();
    answers(() => {
      throw new Error("Redis cannot be reached");
    });
    keep("q:a");
    await advance(2_000);
    expect(posted[0]).toEqual({ type: "failed", text: "Redis cannot be reached" });
    expect(extended.length).toBeGreaterThan(3);
    expect(extended.length).toBeLessThan(8);
  });
});
