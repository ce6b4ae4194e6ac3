import fc from "fast-check";
import { expect, test } from "vitest";
import { fixed } from "../../src/index.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import { ThreadedManager } from "../support/threaded-manager.js";

const RATE = { tasksPerSecond: 100, burst: 6 };
const SCALE_UP_AFTER_MS = 20;

type Step =
  | { readonly step: "enqueue"; readonly handler: string; readonly priority: number; readonly count: number }
  | { readonly step: "end" | "fail" | "handBack" | "cancel"; readonly pick: number }
  | { readonly step: "slots"; readonly slots: number }
  | { readonly step: "wait"; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      step: fc.constant("enqueue" as const),
      handler: fc.constantFrom("hash", "hash", "zip", "mail"),
      priority: fc.nat(1),
      count: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({
      step: fc.constantFrom(
        "end" as const,
        "end" as const,
        "fail" as const,
        "handBack" as const,
        "cancel" as const,
      ),
      pick: fc.nat(50),
    }),
    fc.record({ step: fc.constant("slots" as const), slots: fc.nat(4) }),
    fc.record({ step: fc.constant("wait" as const), ms: fc.constantFrom(1, 5, 20, 50) }),
  ),
  { maxLength: 60 },
);

/** A manager whose pool grows, takes several at a time, and is driven by steps. */
class Play {
  readonly manager = new ThreadedManager({ threads: { max: 3 }, concurrency: 2, ...RATE, killAfterMs: 5 });
  readonly batch: number;
  /** When each start took its permits; without those that came back. */
  readonly starts: { readonly at: number; readonly id: string }[] = [];
  #slots = 1;
  #enqueued = 0;

  constructor(batch: number) {
    this.batch = batch;
    const { clock, core, pool } = this.manager;
    pool.batch = () => batch;
    pool.wait = (used, waitedMs) => (used < this.#slots ? 0 : Math.max(0, SCALE_UP_AFTER_MS - waitedMs));
    core.journal.events.subscribe((event: TaskEvent) => {
      if (!("task" in event)) return;
      const { id } = event.task;
      if (event.type === "started") this.starts.push({ at: clock.now(), id });
      if (event.type === "handedBack")
        this.starts.splice(
          this.starts.findLastIndex((one) => one.id === id),
          1,
        );
      this.#slots = Math.max(this.#slots, core.lanes.threads?.running ?? 0);
    });
  }

  async take(step: Step): Promise<void> {
    const { clock, core, pool } = this.manager;
    switch (step.step) {
      case "enqueue":
        for (let count = 0; count < step.count; count++) {
          const options = { priority: step.priority, maxAttempts: 2, backoff: fixed({ delayMs: 3 }) };
          this.manager.enqueue(++this.#enqueued, options, step.handler);
        }
        break;
      case "slots":
        this.#slots = Math.max(1, Math.min(this.#slots, step.slots));
        pool.host.setSlots(step.slots);
        break;
      case "wait":
        await clock.advance(step.ms);
        break;
      case "cancel": {
        const all = [...core.registry];
        const task = all[step.pick % Math.max(1, all.length)];
        if (task !== undefined) core.canceller.cancel(task, "random", clock.now());
        break;
      }
      default: {
        const handed = pool.present[step.pick % Math.max(1, pool.present.length)];
        if (handed === undefined) break;
        if (step.step === "fail") pool.fail(handed.payload, new Error("random"));
        else pool[step.step](handed.payload);
      }
    }
    await clock.advance(0);
    this.expectSound();
  }

  expectSound(): void {
    const { core, pool } = this.manager;
    const lane = core.lanes.threads;
    if (lane === undefined) throw new Error("there are handlers with a module");
    const present = pool.present.length;
    expect(lane.running).toBeLessThanOrEqual(present);
    expect(lane.running * this.batch).toBeGreaterThanOrEqual(present);
    expect(core.runner.running).toBeGreaterThanOrEqual(present);
    this.#expectNothingForgotten();
  }

  /** No slot, eligible task and permit are left together; who would have a new slot has not waited for so long. */
  #expectNothingForgotten(): void {
    const { clock, core } = this.manager;
    const now = clock.now();
    const next = core.queues.next()?.head;
    if (next !== undefined) expect(core.limiter.sharedWaitMs(next.cost, now)).toBeGreaterThan(0);
    const lane = core.lanes.threads;
    if (next !== undefined || lane?.full !== true) return;
    lane.full = false;
    const held = core.queues.next()?.head;
    lane.full = true;
    if (held !== undefined) expect(now - (held.readyAt ?? held.enqueuedAt)).toBeLessThan(SCALE_UP_AFTER_MS);
  }

  /** In no window more than the bucket had and what came meanwhile. */
  expectRate(): void {
    const { starts } = this;
    for (const [first, { at }] of starts.entries())
      for (let last = first; last < starts.length; last++) {
        const windowMs = (starts[last]?.at ?? at) - at;
        const most = RATE.burst + (RATE.tasksPerSecond * windowMs) / 1_000;
        expect(last - first + 1).toBeLessThanOrEqual(most + 1e-6);
      }
  }
}

/** One that comes back has waited for longer than the one for which its lane is closed at that time. */
const CAME_BACK: Step[] = [
  { step: "enqueue", handler: "hash", priority: 0, count: 3 },
  { step: "fail", pick: 28 },
  { step: "wait", ms: 20 },
  { step: "handBack", pick: 0 },
];

test("I1, I11, I13: whatever threads do, slots are right, rates hold, and no task is forgotten", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (script, batch) => {
      const play = new Play(batch);
      for (const step of script) await play.take(step);
      play.expectRate();
      await play.manager.expectCleanEnd();
    }),
    { numRuns: 150, examples: [[CAME_BACK, 3]] },
  );
});
