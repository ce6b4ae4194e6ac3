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
  const posted: MessageFromRenewal[] = [];
  const extended: string[] = [];
  let answer: () => ExtendAnswer = () => ({ held: true, cancel: undefined });
  const loop = new RenewalLoop({
    ...{ life, leaseMs: LEASE_MS, maxBlockedMs: MAX_BLOCKED_MS, leases: table, now: () => now },
    extend: async (extensions: readonly Extension[]) => {
      extended.push(`${extensions.map(({ id }) => id)} at ${now}`);
      return extensions.map(answer);
    },
    post: (message) => posted.push(message),
  });
  return {
    ...{ extended, kept, life, loop, posted },
    keep: (...ids: string[]) => {
      const leases = ids.map((id) => ({ id, token: 1 }));
      kept.keep(leases, now + LEASE_MS / 3);
    },
    answers: (next: () => ExtendAnswer) => {
      answer = next;
    },
    /** The thread goes on for so long; the main thread as well, unless it is said to be silent. */
    advance: async (ms: number, { silent = false } = {}) => {
      for (const until = now + ms; now < until; ) {
        now += 100;
        if (!silent) life.beatMain();
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
    kept.limit({ id: "q:thread", token: 1 }, 15_000, true);
    await advance(100);
    await advance(MAX_BLOCKED_MS + 10_000, { silent: true });
    const times = (id: string) => extended.filter((call) => call.includes(id)).length;
    expect([times("q:inline"), times("q:thread")]).toEqual([10, 15]);
    extended.length = 0;
    await advance(1_000);
    expect(extended[0]).toMatch(/^q:inline at/);
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
