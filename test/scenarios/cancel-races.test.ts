import { describe, expect, it } from "vitest";
import { type StopReport, type TaskHandle, type TaskSnapshot, TaskTimeoutError } from "../../src/index.js";
import type { Random } from "../../src/ports/random.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { rejectionOf } from "../support/manual-manager.js";
import { ObservedManager, observeManager, Stubborn } from "../support/observed-manager.js";
import { runCount } from "../support/run-count.js";

const ROUNDS = runCount(200);
const TASKS_PER_ROUND = 500;
const COUNT = (ROUNDS * TASKS_PER_ROUND).toLocaleString("en");
/** Everything happens within so many milliseconds, so that much of it happens at the same instant. */
const SPAN_MS = 12;

/** One task among the racers, and what each observer saw of it. */
interface Racer {
  readonly handle: TaskHandle;
  /** Reasons of the calls that were told that they decided. */
  readonly decided: unknown[];
  readonly outcomes: { readonly value?: unknown; readonly error?: unknown }[];
}

class Race {
  readonly manager = new ObservedManager({
    concurrency: TASKS_PER_ROUND - 20,
    retention: { maxEntries: TASKS_PER_ROUND },
    killAfterMs: 3,
  });
  readonly racers: Racer[] = [];
  readonly #random: Random;
  /** Make the handlers end that nothing else ended. */
  readonly #finishers: (() => void)[] = [];
  /** What is to be done at each millisecond. */
  readonly #steps: (() => void)[][] = Array.from({ length: SPAN_MS }, () => []);
  #stop: Promise<StopReport> | undefined;

  constructor(random: Random) {
    this.#random = random;
    for (let index = 0; index < TASKS_PER_ROUND; index++) this.#enter(index);
    const stopping = random.next();
    if (stopping < 0.3) this.#at(() => this.stopWith(() => this.manager.stopNow()));
    if (stopping < 0.5) this.#at(() => this.stopWith(() => this.manager.stopGraceful({ deadlineMs: 5 })));
  }

  /** Goes through it, at each millisecond in another order and with other pauses. */
  async run(): Promise<StopReport | undefined> {
    const { clock } = this.manager;
    for (const steps of this.#steps) {
      const before = this.#chance(0.5);
      if (before) await clock.advance(1);
      shuffle(steps, this.#random);
      for (const step of steps) {
        step();
        if (this.#chance(0.2)) await null;
      }
      if (!before) await clock.advance(1);
    }
    for (let attempts = 0; attempts < 2; attempts++) {
      await clock.advance(2 * SPAN_MS); // backoffs end
      for (const finish of this.#finishers) finish();
    }
    await clock.settle();
    return await this.#stop;
  }

  stopWith(stop: () => Promise<StopReport>): void {
    const promise = stop();
    expect(this.#stop ?? promise).toBe(promise);
    this.#stop = promise;
  }

  #enter(index: number): void {
    const decided: unknown[] = [];
    const controller = this.#chance(0.3) ? new AbortController() : undefined;
    const handle = this.manager.enqueue(this.#handler(index), {
      timeoutMs: this.#chance(0.5) ? this.#ms() + 1 : false,
      ttlMs: this.#chance(0.3) ? this.#ms() + 1 : undefined,
      delayMs: this.#chance(0.2) ? this.#ms() : 0,
      maxAttempts: this.#chance(0.3) ? 2 : 1,
      backoff: () => this.#ms(),
      killAfterMs: this.#ms(),
      signal: controller?.signal,
    });
    const racer: Racer = { handle, decided, outcomes: [] };
    handle.result().then(
      (value) => racer.outcomes.push({ value }),
      (error: unknown) => racer.outcomes.push({ error }),
    );
    const cancel = (reason: string) => handle.cancel(reason) && decided.push(reason);
    if (this.#chance(0.5)) this.#at(() => cancel("by handle"));
    if (this.#chance(0.3)) this.#at(() => cancel("by handle, again"));
    if (this.#chance(0.3)) {
      this.#at(() => this.manager.controls.cancel(handle.id, "by id") && decided.push("by id"));
    }
    if (controller !== undefined) this.#at(() => controller.abort("by signal"));
    this.racers.push(racer);
  }

  /** Ends by itself, at once or later, well or badly; some end when they are told to, some go on. */
  #handler(index: number) {
    const [sync, fails, honours] = [this.#chance(0.1), this.#chance(0.3), this.#chance(0.5)];
    const finish = (settle: (value: number) => void, reject: (error: Error) => void) =>
      fails ? reject(new Error(`${index} failed`)) : settle(index);
    let pending: (() => void) | undefined;
    this.#at(() => pending?.());
    this.#at(() => pending?.());
    this.#finishers.push(() => pending?.());
    return ({ signal }: { readonly signal: AbortSignal }) => {
      if (sync) {
        if (fails) throw new Error(`${index} failed`);
        return index;
      }
      return new Promise<number>((resolve, reject) => {
        pending = () => finish(resolve, reject);
        if (honours) signal.addEventListener("abort", () => reject(signal.reason));
      });
    };
  }

  #at(step: () => void): void {
    this.#steps[this.#ms()]?.push(step);
  }

  #ms(): number {
    return Math.floor(this.#random.next() * SPAN_MS);
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }
}

function shuffle(steps: unknown[], random: Random): void {
  for (let index = steps.length - 1; index > 0; index--) {
    const other = Math.floor(random.next() * (index + 1));
    [steps[index], steps[other]] = [steps[other], steps[index]];
  }
}

/** Where the observers disagree about a task: empty where all is well. */
function disagreements(racer: Racer, index: number, ends: TaskSnapshot[], kept?: TaskSnapshot): string[] {
  const { handle, outcomes, decided } = racer;
  const [end] = ends;
  const [outcome] = outcomes;
  if (ends.length !== 1 || outcomes.length !== 1 || end === undefined || outcome === undefined)
    return [`${ends.length} ends, ${outcomes.length} outcomes`];
  const wrong: string[] = [];
  const { state, reason, error } = end;
  if (handle.state !== state || kept?.state !== state || kept.reason !== reason || kept.error !== error)
    wrong.push(`event ${state} ${reason}, handle ${handle.state}, get ${kept?.state} ${kept?.reason}`);
  if (state === "completed" ? outcome.value !== index : outcome.error !== error || error === undefined)
    wrong.push(`${state} with ${String(outcome.value)} and ${String(outcome.error)}`);
  const cause = error?.cause;
  const byUser = state === "cancelled" && reason === "cancelled";
  if (decided.length > 1) wrong.push(`${decided.length} calls decided`);
  if (decided.length === 1 && !(byUser && cause === decided[0]))
    wrong.push(`decided by ${decided[0]}, but ${state} ${reason} by ${String(cause)}`);
  if (byUser && decided.length === 0 && cause !== "by signal") wrong.push(`cancelled by ${String(cause)}`);
  return wrong;
}

describe("C2: cancel races completion, timeout, deadline and stop", () => {
  it(`C2: gives each of ${COUNT} interleavings one outcome, on which all observers agree`, async () => {
    const endings = new Map<string, number>();
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const race = new Race(seededRandom(seed));
      const report = await race.run();
      const ends = new Map<string, TaskSnapshot[]>();
      for (const event of race.manager.events) {
        if (event.type !== "finished") continue;
        const { id, state, reason } = event.task;
        ends.set(id, [...(ends.get(id) ?? []), event.task]);
        const ending = `${state} ${reason ?? ""}`;
        endings.set(ending, (endings.get(ending) ?? 0) + 1);
      }
      const wrong = race.racers.flatMap((racer, index) =>
        disagreements(racer, index, ends.get(racer.handle.id) ?? [], race.manager.get(racer.handle.id)),
      );
      expect(wrong, `seed ${seed}`).toEqual([]);
      expectStatsToAgree(race, ends, report);
    }
    // All ends were met, or the race proves less than it says.
    expect([...endings.keys()].sort()).toEqual([
      ...["cancelled cancelled", "cancelled stopped", "completed "],
      ...["failed deadline", "failed error", "failed timeout"],
    ]);
    expect(Math.min(...endings.values())).toBeGreaterThan(500);
  }, 300_000);
});

function expectStatsToAgree(race: Race, ends: Map<string, TaskSnapshot[]>, report?: StopReport): void {
  const counts = { completed: 0, failed: 0, cancelled: 0 };
  for (const [end] of ends.values()) {
    if (end !== undefined) counts[end.state as keyof typeof counts]++;
  }
  const { total, lanes, ...stats } = race.manager.stats();
  expect(total).toMatchObject({ ...counts, enqueued: TASKS_PER_ROUND });
  expect(stats).toMatchObject({ running: 0, queued: 0, scheduled: 0, backingOff: 0 });
  expect(stats.queues["default"]).toMatchObject(counts);
  expect(lanes.inline).toMatchObject({ running: 0 });
  if (report === undefined) return;
  const { alive, durationMs: _, ...parts } = report;
  expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
}

describe("C8: a timeout at the same instant as success", () => {
  /** What each observer says of a task. */
  const views = async (manager: ObservedManager, handle: TaskHandle) => {
    const outcome = await handle.result().catch((error: unknown) => error);
    const { completed, failed, timedOut } = manager.stats().total;
    const states = [handle.state, manager.get(handle.id)?.state, ...manager.endsOf(handle.id)].map((one) =>
      typeof one === "object" ? one.state : one,
    );
    return { outcome, states, completed, failed, timedOut };
  };

  it("C8: is a success when the handler ended in an earlier turn of that instant", async () => {
    const manager = observeManager();
    const work = new Stubborn<string>();
    manager.clock.setTimeout(() => work.resolve("done"), 100); // started before the timeout's own timer
    const handle = manager.enqueue(work.run, { timeoutMs: 100 });
    await manager.clock.advance(100);
    expect(await views(manager, handle)).toEqual({
      ...{ outcome: "done", states: ["completed", "completed", "completed"] },
      ...{ completed: 1, failed: 0, timedOut: 0 },
    });
  });

  it("C8: is a timeout when the timeout rings first", async () => {
    const manager = observeManager();
    const work = new Stubborn<string>();
    const handle = manager.enqueue(work.run, { timeoutMs: 100 });
    await manager.clock.settle();
    manager.clock.setTimeout(() => work.resolve("too late"), 100);
    await manager.clock.advance(100);
    expect(await views(manager, handle)).toMatchObject({
      ...{ outcome: expect.any(TaskTimeoutError), states: ["failed", "failed", "failed"] },
      ...{ completed: 0, failed: 1, timedOut: 1 },
    });
  });

  it("C8: is a timeout when the handler's promise is settled but nobody has heard of it yet", async () => {
    const manager = observeManager();
    const work = new Stubborn<string>();
    const first = manager.enqueue(
      ({ signal }) => {
        signal.addEventListener("abort", () => work.resolve("in the same turn"));
        return new Stubborn().promise;
      },
      { timeoutMs: 100, killAfterMs: 0 },
    );
    const second = manager.enqueue(work.run, { timeoutMs: 100 });
    await manager.clock.advance(101);
    expect(await rejectionOf(first.result())).toBeInstanceOf(TaskTimeoutError);
    expect(await views(manager, second)).toMatchObject({
      ...{ outcome: expect.any(TaskTimeoutError), states: ["failed", "failed", "failed"] },
      ...{ completed: 0, failed: 2, timedOut: 2 },
    });
    expect(manager.stats().total.abandoned).toBe(1); // the first; the second did end
  });
});
