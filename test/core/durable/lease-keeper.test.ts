import { describe, expect, test } from "vitest";
import { HeldLease } from "../../../src/core/durable/held-lease.js";
import { LeaseKeeper } from "../../../src/core/durable/lease-keeper.js";
import { toLeaseTerms } from "../../../src/core/durable/lease-terms.js";
import { SlotWatch } from "../../../src/core/durable/slot-watch.js";
import type { ClaimedTask, ExtendAnswer, Extension } from "../../../src/ports/backend.js";
import type {
  LeaseNeed,
  LeaseRenewal,
  RenewalListener,
  RenewedLease,
} from "../../../src/ports/lease-renewal.js";
import { ManualClock, seededRandom } from "../../../src/testing/index.js";

const LEASE_MS = 30_000;
const MAX_SILENT_MS = 120_000;
const terms = toLeaseTerms(LEASE_MS);
const { marginMs, renewEveryMs } = terms;

/** A renewal whose thread is this test: it says what it has renewed when it is told to. */
class ToldRenewal implements LeaseRenewal {
  active = true;
  readonly calls: string[] = [];
  /** What `catchUp` finds. */
  unheard: (() => void)[] = [];
  readonly listener: RenewalListener;

  constructor(listener: RenewalListener) {
    this.listener = listener;
  }

  keep(leases: readonly RenewedLease[], dueInMs: number): void {
    this.calls.push(`keep ${leases.map(({ id }) => id)} ${dueInMs}`);
  }

  limit({ id }: RenewedLease, forMs: number, need: LeaseNeed): void {
    this.calls.push(`limit ${id} ${forMs} ${need}`);
  }

  release({ id }: RenewedLease): void {
    this.calls.push(`release ${id}`);
  }

  catchUp(): void {
    for (const tell of this.unheard.splice(0)) tell();
  }

  async close(): Promise<void> {
    this.calls.push("close");
  }
}

/** A clock of a thread that was blocked: its timers come late. */
class LateClock extends ManualClock {
  blockedMs = 0;

  override now(): number {
    return super.now() + this.blockedMs;
  }
}

function scene({ elsewhere = true } = {}) {
  const clock = new LateClock();
  const told: string[] = [];
  const extended: string[] = [];
  let answer: ExtendAnswer = { held: true, cancel: undefined };
  const progress: string[] = [];
  let failure: Error | undefined;
  const extend = async (extensions: readonly Extension[]) => {
    if (failure !== undefined) throw failure;
    const now = Math.round(clock.now());
    extended.push(...extensions.map(({ id }) => `${id} at ${now}`));
    for (const one of extensions)
      if (one.progress !== undefined) progress.push(`${one.id} ${one.progress.join()} at ${now}`);
    return extensions.map(() => answer);
  };
  const fails = (error: Error | undefined) => {
    failure = error;
  };
  let renewal: ToldRenewal | undefined;
  const pulses = new Int32Array(4);
  const slots = new SlotWatch(clock, pulses, MAX_SILENT_MS);
  const keeper = new LeaseKeeper({
    ...{ clock, slots, terms, backend: { extend }, random: seededRandom(1) },
    listener: {
      lost: ({ task }) => told.push(`lost ${task.id} at ${clock.now()}`),
      cancelAsked: ({ task }, error) => told.push(`cancel ${task.id} ${error}`),
      failed: (error) => told.push(String(error)),
    },
    openRenewal: (listener) => {
      renewal = elsewhere ? new ToldRenewal(listener) : undefined;
      return renewal;
    },
  });
  keeper.start();
  const held = (id: string, token = 1) => {
    const until = clock.now() + LEASE_MS - marginMs;
    return new HeldLease({ id, token } as ClaimedTask, "q", {
      ...{ askedAt: clock.now(), trustedUntil: until, renewAt: clock.now() + renewEveryMs },
    });
  };
  const answers = (next: ExtendAnswer) => {
    answer = next;
  };
  return {
    ...{ answers, clock, extended, fails, held, keeper, progress, pulses, slots, told },
    renewal: renewal as unknown as ToldRenewal,
  };
}

describe("LeaseKeeper without a renewal elsewhere", () => {
  test("renews every third of a lease, and not after its end (D7)", async () => {
    const { clock, extended, held, keeper, told } = scene({ elsewhere: false });
    const lease = held("q:a");
    keeper.keep([lease]);
    await clock.advance(20 * LEASE_MS);
    expect([told, extended.length, keeper.tally.renewals]).toEqual([[], 60, 60]);
    keeper.release(lease);
    await clock.advance(20 * LEASE_MS);
    expect([extended.length, clock.timers]).toEqual([60, 0]);
  });

  test("loses what the store does not hold (D10)", async () => {
    const { answers, clock, held, keeper, told } = scene({ elsewhere: false });
    answers({ held: false, cancel: undefined });
    keeper.keep([held("q:a")]);
    await clock.advance(LEASE_MS);
    expect([told, keeper.size]).toEqual([[`lost q:a at ${renewEveryMs}`], 0]);
  });

  test("loses the lease that this process had of a task when the task is given to it anew (D5)", () => {
    const { held, keeper, told } = scene({ elsewhere: false });
    const [former, present] = [held("q:a"), held("q:a", 2)];
    keeper.keep([former]);
    keeper.keep([present]);
    expect(told).toEqual(["lost q:a at 0"]);
    expect([former.state, present.state]).toEqual(["over", "held"]);
    expect(keeper.get("q:a")).toBe(present);
  });

  test("does not lose a lease whose task has ended here by another one of that task (D5)", () => {
    const { held, keeper, told } = scene({ elsewhere: false });
    const former = held("q:a");
    keeper.keep([former]);
    former.settle({ kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
    keeper.keep([held("q:a", 2)]);
    expect([told, former.state]).toEqual([[], "settling"]);
  });
});

describe("LeaseKeeper and a slot that is silent", () => {
  /** One that is watched, and one beside it that is not. */
  function watched(elsewhere = false) {
    const all = scene({ elsewhere });
    const [stuck, beside] = [all.held("q:stuck"), all.held("q:beside")];
    all.keeper.keep([stuck, beside]);
    all.slots.watch(stuck, 0);
    const calls = (id: string) => all.extended.filter((call) => call.startsWith(id)).length;
    return { ...all, calls, stuck };
  }

  test("renews its lease no more, so that it is lost a lease later, and only that one (D2)", async () => {
    const { calls, clock, told } = watched();
    await clock.advance(MAX_SILENT_MS + LEASE_MS + renewEveryMs);
    expect(told).toHaveLength(1);
    const [, lostAt] = /^lost q:stuck at (.*)$/.exec(told[0] ?? "") ?? [];
    expect(Number(lostAt)).toBeGreaterThan(MAX_SILENT_MS + LEASE_MS - renewEveryMs - marginMs);
    expect(Number(lostAt)).toBeLessThanOrEqual(MAX_SILENT_MS + LEASE_MS + renewEveryMs / 4);
    expect(calls("q:beside")).toBe(16);
  });

  test("renews it for ever while it turns, however seldom (D7)", async () => {
    const { calls, clock, pulses, told } = watched();
    for (let turns = 1; turns <= 20; turns++) {
      pulses[0] = turns;
      await clock.advance(MAX_SILENT_MS - 1_000);
    }
    expect(told).toEqual([]);
    expect(calls("q:stuck")).toBe(calls("q:beside"));
  });

  test("takes it up again when it turns before its lease has run out", async () => {
    const { clock, pulses, told } = watched();
    await clock.advance(MAX_SILENT_MS + renewEveryMs);
    pulses[0] = 1;
    await clock.advance(MAX_SILENT_MS);
    expect(told).toEqual([]);
  });

  test("tells the store none of its progress, which would lengthen the lease, until it turns", async () => {
    const { clock, keeper, progress, pulses, stuck } = watched();
    await clock.advance(MAX_SILENT_MS + 2_000);
    keeper.report(stuck, new Uint8Array([1]));
    await clock.advance(renewEveryMs);
    expect(progress).toEqual([]);
    pulses[0] = 1;
    await clock.advance(renewEveryMs / 2);
    expect(progress).toEqual([expect.stringMatching(/^q:stuck 1 at/)]);
  });

  test("does not take over from a renewal elsewhere that has given it up", async () => {
    const { calls, clock, renewal, told } = watched(true);
    const until = MAX_SILENT_MS + LEASE_MS + renewEveryMs;
    for (let now = 0; now < until; now += renewEveryMs) {
      renewal.listener.renewed({ id: "q:beside", token: 1 }, 0, undefined);
      if (now < MAX_SILENT_MS) renewal.listener.renewed({ id: "q:stuck", token: 1 }, 0, undefined);
      await clock.advance(renewEveryMs);
    }
    expect(told).toEqual([expect.stringMatching(/^lost q:stuck/)]);
    expect(calls("q:stuck")).toBe(0);
  });

  test("watches nothing more once the lease is let go", async () => {
    const { clock, keeper, slots, stuck } = watched();
    await clock.advance(MAX_SILENT_MS + 2_000);
    expect(slots.isSilent(stuck)).toBe(true);
    keeper.release(stuck);
    expect(slots.isSilent(stuck)).toBe(false);
    keeper.release(keeper.get("q:beside") as HeldLease);
    expect(clock.timers).toBe(0);
  });
});

describe("LeaseKeeper with a renewal elsewhere", () => {
  test("tells it of a claim before anything of it begins, and of what follows", async () => {
    const { held, keeper, renewal } = scene();
    const [a, b] = [held("q:a"), held("q:b")];
    keeper.keep([a, b]);
    keeper.limit(a, 5_000, "nobody");
    keeper.release(a);
    keeper.release(b);
    await keeper.close();
    expect(renewal.calls).toEqual([
      ...[`keep q:a,q:b ${renewEveryMs}`, "limit q:a 5000 nobody"],
      ...["release q:a", "release q:b", "close"],
    ]);
  });

  test("asks the store nothing while that renews in time", async () => {
    const { clock, extended, held, keeper, renewal, told } = scene();
    keeper.keep([held("q:a")]);
    for (let count = 0; count < 20; count++) {
      await clock.advance(renewEveryMs);
      renewal.listener.renewed({ id: "q:a", token: 1 }, 0, undefined);
    }
    expect([extended, told, keeper.tally.renewals]).toEqual([[], [], 20]);
  });

  test("renews by itself what is not renewed by half of a lease", async () => {
    const { clock, extended, held, keeper, told } = scene();
    keeper.keep([held("q:a")]);
    await clock.advance(LEASE_MS);
    expect([extended, told]).toEqual([["q:a at 15000", "q:a at 30000"], []]);
  });

  test("renews at every third again once that has died", async () => {
    const { clock, extended, held, keeper, renewal } = scene();
    renewal.active = false;
    keeper.keep([held("q:a")]);
    await clock.advance(LEASE_MS);
    expect(extended).toEqual(["q:a at 10000", "q:a at 20000", "q:a at 30000"]);
  });

  test("takes progress up all the same, since that travels from here", async () => {
    const { clock, extended, held, keeper, progress, renewal } = scene();
    const lease = held("q:a");
    keeper.keep([lease]);
    await clock.advance(renewEveryMs / 2);
    keeper.report(lease, new Uint8Array([1]));
    renewal.listener.renewed({ id: "q:a", token: 1 }, 0, undefined);
    await clock.advance(1);
    expect(progress).toEqual(["q:a 1 at 5000"]);
    await clock.advance(renewEveryMs);
    expect(extended).toEqual(["q:a at 5000"]);
  });

  test("hears what it has renewed before it takes anything for lost, when it was blocked (D8)", async () => {
    const { clock, held, keeper, renewal, told } = scene();
    const lease = held("q:a");
    keeper.keep([lease]);
    clock.blockedMs = 3 * LEASE_MS; // its timers come then, before what was told meanwhile
    renewal.unheard.push(() => renewal.listener.renewed({ id: "q:a", token: 1 }, 500, undefined));
    await clock.advance(renewEveryMs * 1.5);
    expect(told).toEqual([]);
    expect(lease.trustedUntil).toBe(clock.now() - 500 + LEASE_MS - marginMs);
    clock.blockedMs += LEASE_MS;
    renewal.unheard.push(() => renewal.listener.renewed({ id: "q:a", token: 1 }, 700, undefined));
    expect(keeper.trusts(lease)).toBe(true);
  });

  test("takes for lost what was not renewed while it was blocked", async () => {
    const { clock, held, keeper, renewal, told } = scene();
    keeper.keep([held("q:a")]);
    clock.blockedMs = 3 * LEASE_MS;
    renewal.unheard.push(() => renewal.listener.renewed({ id: "q:a", token: 1 }, LEASE_MS, undefined));
    await clock.advance(renewEveryMs * 1.5);
    expect(told).toEqual([`lost q:a at ${clock.now()}`]);
  });

  test("loses what nobody renews, at the end of its trust and not later (D11)", async () => {
    const { answers, clock, held, keeper, told } = scene();
    answers({ held: false, cancel: undefined });
    const lease = held("q:a");
    lease.renewAt = Number.POSITIVE_INFINITY;
    keeper.keep([lease]);
    await clock.advance(LEASE_MS);
    expect(told).toEqual([`lost q:a at ${LEASE_MS - marginMs}`]);
  });

  test("passes on a lease that is refused there, a wish to cancel, and a failure", async () => {
    const { held, keeper, renewal, told } = scene();
    keeper.keep([held("q:a"), held("q:b")]);
    renewal.listener.renewed({ id: "q:a", token: 1 }, 0, "reason");
    renewal.listener.renewed({ id: "q:a", token: 1 }, 0, "reason");
    renewal.listener.refused({ id: "q:b", token: 1 });
    renewal.listener.failed("it has died");
    expect(told).toEqual(["cancel q:a reason", "lost q:b at 0", "it has died"]);
    expect(keeper.tally).toEqual({ renewals: 2, failures: 1, lost: 1 });
  });

  test("takes no word about an earlier lease of the same task for one about this (D5)", () => {
    const { held, keeper, renewal, told } = scene();
    const lease = held("q:a", 2);
    keeper.keep([lease]);
    const { trustedUntil } = lease;
    renewal.listener.refused({ id: "q:a", token: 1 });
    renewal.listener.renewed({ id: "q:a", token: 1 }, -1_000, "reason");
    expect([told, lease.trustedUntil]).toEqual([[], trustedUntil]);
  });

  test("takes a refusal while a settlement is under way for nothing", () => {
    const { held, keeper, renewal, told } = scene();
    const lease = held("q:a");
    keeper.keep([lease]);
    lease.settle({ kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
    renewal.listener.refused({ id: "q:a", token: 1 });
    expect([told, lease.state]).toEqual([[], "settling"]);
  });
});

describe("LeaseKeeper, of progress,", () => {
  const bytes = (value: number) => new Uint8Array([value]);

  test("tells the first word at once, then the last one of each second, and renews by that", async () => {
    const { clock, extended, held, keeper, progress } = scene({ elsewhere: false });
    const lease = held("q:a");
    keeper.keep([lease]);
    for (let step = 0; step < 25; step++) {
      keeper.report(lease, bytes(step));
      await clock.advance(100);
    }
    await clock.advance(1_000);
    expect(progress).toEqual(["q:a 0 at 0", "q:a 9 at 1000", "q:a 19 at 2000", "q:a 24 at 3000"]);
    await clock.advance(renewEveryMs - 1);
    expect(extended).toHaveLength(4 + 1); // renewals are counted from the last of these
  });

  test("tells that of all leases together, once a second however many there are", async () => {
    const { clock, held, keeper, progress } = scene({ elsewhere: false });
    const leases = Array.from({ length: 50 }, (_, n) => held(`q:${n}`));
    keeper.keep(leases);
    for (let step = 0; step < 30; step++) {
      for (const [index, lease] of leases.entries())
        if (index % 10 === step % 10) keeper.report(lease, bytes(step));
      await clock.advance(100);
    }
    const instants = new Set(progress.map((told) => told.split(" at ")[1]));
    expect([...instants]).toEqual(["0", "1000", "2000", "3000"]);
    expect(progress).toHaveLength(5 + 45 + 50 + 50);
  });

  test("lets it travel with a renewal that comes before its time", async () => {
    const { clock, held, keeper, progress } = scene({ elsewhere: false });
    const [a, b] = [held("q:a"), held("q:b")];
    keeper.keep([a, b]);
    await clock.advance(renewEveryMs - 300);
    keeper.report(a, bytes(1));
    await clock.advance(100);
    keeper.report(b, bytes(2));
    keeper.lookAt("q:b");
    expect(progress).toEqual(["q:a 1 at 9700", "q:b 2 at 9800"]);
    await clock.advance(LEASE_MS);
    expect(progress).toHaveLength(2);
  });

  test("keeps what has not arrived until it can, or there is something newer", async () => {
    const { clock, fails, held, keeper, progress } = scene({ elsewhere: false });
    const [a, b] = [held("q:a"), held("q:b")];
    keeper.keep([a, b]);
    fails(new Error("away"));
    keeper.report(a, bytes(1));
    keeper.report(b, bytes(2));
    await clock.advance(100);
    keeper.report(a, bytes(3));
    await clock.advance(4_000);
    expect(keeper.tally.failures).toBeGreaterThan(1);
    expect(keeper.tally.failures).toBeLessThan(20); // it is not hurried by it
    fails(undefined);
    await clock.advance(LEASE_MS / 10);
    expect(progress.map((told) => told.split(" at ")[0])).toEqual(["q:a 3", "q:b 2"]);
  });

  test("tells what is new of tasks that have ended, and nothing of leases that are over", async () => {
    const { clock, held, keeper, progress } = scene({ elsewhere: false });
    const [a, b, c] = [held("q:a"), held("q:b"), held("q:c")];
    keeper.keep([a, b, c]);
    keeper.report(a, bytes(1));
    await clock.advance(1);
    for (const lease of [a, b, c]) keeper.report(lease, bytes(2));
    a.settle({ kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
    keeper.release(b);
    keeper.report(a, bytes(3));
    keeper.report(b, bytes(3));
    keeper.tellAll([a, b]);
    keeper.tellAll([a, b]);
    expect(progress).toEqual(["q:a 1 at 0", "q:a 2 at 1"]);
    await clock.advance(1_000);
    expect(progress).toEqual(["q:a 1 at 0", "q:a 2 at 1", "q:c 2 at 1000"]);
  });
});
