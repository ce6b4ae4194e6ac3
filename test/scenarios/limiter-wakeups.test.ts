import { describe, expect, test } from "vitest";
import type { TaskOptions } from "../../src/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { createCore, type ManualCore } from "../support/manual-core.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

const QUEUES = ["default", "narrow", "single", "rare"] as const;

/**
 * A task that could start now, by all that is known from outside the dispatcher: of each queue that is open,
 * the head; a slot; the permits of both buckets. There must be none once the event loop has come round.
 */
function startable({ core, clock }: ManualCore): string | undefined {
  const { dispatcher, lane, limiter, queues } = core;
  if (dispatcher.paused || !lane.open) return undefined;
  const now = clock.now();
  for (const queue of queues.queues()) {
    const { paused, full } = closuresOf(queue);
    const head = queue.groups[0]?.head;
    if (paused || full || head === undefined) continue;
    if (limiter.queues.waitMs(queue.name, head.cost, now) > 0) continue;
    // Only the best task of all may wait for shared permits: the bucket saves up for it.
    if (limiter.sharedWaitMs(head.cost, now) === 0 && isNext(core, queue.name)) return head.id;
  }
  return undefined;
}

function closuresOf(queue: { isClosedBy(closure: 1 | 2): boolean }): { paused: boolean; full: boolean } {
  return { paused: queue.isClosedBy(1), full: queue.isClosedBy(2) };
}

function isNext(core: ManualCore["core"], queue: string): boolean {
  const next = core.queues.next();
  // A queue that is wrongly held closed is not among the turns at all.
  return next === undefined || next.queue.name === queue;
}

/** Ten thousand random steps; after each, the event loop comes round and nothing startable may be left. */
async function runRandomly(seed: number, steps: number): Promise<void> {
  const random = seededRandom(seed);
  const integer = (to: number) => Math.floor(random.next() * (to + 1));
  const pick = <T>(from: readonly T[]): T => from[integer(from.length - 1)] as T;
  const manual = createCore({
    ...{ concurrency: 3, capacity: 200, tasksPerSecond: 100, burst: 5, maxAttempts: 2, backoff: () => 20 },
    queues: {
      narrow: { rateLimit: { tasksPerSecond: 30, burst: 4 }, share: 3 },
      single: { maxConcurrency: 1, share: 2 },
    },
  });
  const { clock, controls, core, enqueue } = manual;
  const starts: Start[] = [];
  const ends: ((fail: boolean) => void)[] = [];
  let ids = 0;
  let rate = { tasksPerSecond: 100, burst: 5 };

  const enqueueOne = () => {
    const cost = 1 + integer(2);
    const kind = integer(3);
    const options: TaskOptions = {
      ...{ id: `t${ids++}`, queue: pick(QUEUES), priority: integer(4), cost: Math.min(cost, rate.burst) },
      ...(integer(3) === 0 ? { delayMs: integer(40) } : {}),
      ...(integer(9) === 0 ? { ttlMs: 1 + integer(60) } : {}),
    };
    if (core.backlog.size >= core.intake.capacity) return;
    enqueue(() => {
      starts.push({ at: clock.now(), cost: Math.min(options.cost ?? 1, rate.burst) });
      if (kind === 0) throw new Error("once more");
      if (kind === 1) return undefined;
      return new Promise<void>((resolve, reject) => {
        ends.push((fail) => (fail ? reject(new Error("once more")) : resolve()));
      });
    }, options);
  };
  const anyId = () => `t${Math.max(0, ids - 1 - integer(60))}`;
  const operations: (() => unknown)[] = [
    enqueueOne,
    enqueueOne,
    enqueueOne,
    enqueueOne,
    () => controls.cancel(anyId(), undefined),
    () => controls.reprioritize(anyId(), integer(4)),
    () => ends.splice(integer(Math.max(0, ends.length - 1)), 1)[0]?.(integer(1) === 0),
    () => ends.splice(0).forEach((end) => void end(false)),
    () => controls.pause({ queue: pick(QUEUES) }),
    () => controls.resume({ queue: pick(QUEUES) }),
    () => controls.resume({ queue: pick(QUEUES) }),
    () => controls.pause(),
    () => controls.resume(),
    () => controls.resume(),
    () => controls.setConcurrency({ inline: 1 + integer(4) }),
    () => {
      rate = { tasksPerSecond: pick([10, 100, 1_000]), burst: pick([3, 5, 9]) };
      controls.setRate(rate);
      starts.length = 0; // I11 is about one rate
    },
    () => controls.setRate({ queue: "narrow", tasksPerSecond: pick([5, 30, 300]), burst: 4 }),
    () => clock.advance(pick([0, 1, 7, 30])),
    () => clock.advance(pick([0, 1, 7, 30])),
    () => clock.block(integer(5)),
  ];
  for (let step = 0; step < steps; step++) {
    await pick(operations)();
    await clock.advance(0);
    const found = startable(manual);
    if (found !== undefined)
      expect.unreachable(`seed ${seed}, step ${step}: ${found} could start and does not`);
    expect(leastBurst(starts, rate.tasksPerSecond)).toBeLessThanOrEqual(rate.burst + ROUNDING);
  }
  // Nothing is left behind once all is open again.
  for (const queue of QUEUES) controls.resume({ queue });
  controls.resume();
  controls.setRate({ tasksPerSecond: 1_000_000, burst: 1_000 });
  controls.setRate({ queue: "narrow", tasksPerSecond: 1_000_000, burst: 1_000 });
  for (let round = 0; core.settler.unsettled > 0 && round < 500; round++) {
    for (const end of ends.splice(0)) end(false);
    await clock.advance(10);
  }
  expect(core.settler.unsettled).toBe(0);
  expect(core.tally.started).toBeGreaterThan(steps / 20);
  expect([...core.queues.queues()].map(({ name }) => name)).toEqual(["narrow", "single", "default"]);
}

describe("L9: a free slot, an eligible task and a free permit are never together", () => {
  test.each([1, 2, 3, 4, 5])("over 2,000 random operations, seed %i", async (seed) => {
    await runRandomly(seed, 2_000);
  });
});
