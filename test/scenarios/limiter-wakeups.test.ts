import { describe, expect, test } from "vitest";
import type { QueueGroup, TaskQueue } from "../../src/core/queue/task-queue.js";
import { defineHandlers, rateLimited, type TaskOptions } from "../../src/index.js";
import type { Task } from "../../src/task/task.js";
import { seededRandom } from "../../src/testing/index.js";
import { createCore, type ManualCore } from "../support/manual-core.js";
import { answering } from "../support/schemas.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

const QUEUES = ["default", "narrow", "single", "rare"] as const;

/** Their payload is what they do. */
const doing = {
  payload: answering<() => unknown>((value) => ({ value })),
  run: (work: () => unknown) => work(),
};
const HANDLERS = [undefined, "free", "one", "slow"] as const;

/**
 * A task that could start now, by all that is known from outside the dispatcher: of each group whose queue and
 * handler are open, the head; a slot; the permits of all buckets. There must be none once the event loop has
 * come round.
 */
function startable(manual: ManualCore): string | undefined {
  const { dispatcher, lanes, limiter, queues } = manual.core;
  if (dispatcher.paused || !lanes.inline.open) return undefined;
  const now = manual.clock.now();
  for (const queue of queues.queues()) {
    for (const group of queue.groups) {
      const { head } = group;
      if (head === undefined || isHeldBack(manual, group)) continue;
      // Only the best task of all may wait for shared permits: the bucket saves up for it.
      if (limiter.sharedWaitMs(head.cost, now) === 0 && isNext(manual.core, group)) return head.id;
    }
  }
  return undefined;
}

/** Whether its queue or its handler is paused or full, or saves up permits for a head. */
function isHeldBack({ core, clock }: ManualCore, { queue, handler }: QueueGroup): boolean {
  const { queues, handlers } = core.limiter;
  const now = clock.now();
  if (isShut(queue) || headsOf(queue.groups).some(({ cost }) => queues.waitMs(queue.name, cost, now) > 0))
    return true;
  if (handler === undefined) return false;
  const all = [...core.queues.queues()].flatMap((one) => one.groups);
  const groups = all.filter((group) => group.handler === handler && !group.queue.isClosedBy(1));
  const saves = headsOf(groups).some(({ cost }) => handlers.waitMs(handler.name, cost, now) > 0);
  return saves || isShut(handler);
}

function isShut(gate: Pick<TaskQueue, "isClosedBy">): boolean {
  return gate.isClosedBy(1) || gate.isClosedBy(2);
}

function headsOf(groups: readonly QueueGroup[]): Task[] {
  return groups.flatMap(({ head }) => head ?? []);
}

function isNext(core: ManualCore["core"], group: QueueGroup): boolean {
  const next = core.queues.next();
  // A queue that is wrongly held closed is not among the turns at all.
  return next === undefined || next === group;
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
    handlers: defineHandlers({
      free: doing,
      one: { ...doing, maxConcurrency: 1 },
      slow: { ...doing, rateLimit: { tasksPerSecond: 40, burst: 4 } },
    }),
  });
  const { clock, controls, core } = manual;
  const starts: Start[] = [];
  const ofSlow: Start[] = [];
  const ends: ((fail: boolean) => void)[] = [];
  let ids = 0;
  let rate = { tasksPerSecond: 100, burst: 5 };
  let slowRate = 40;

  const enqueueOne = () => {
    const cost = 1 + integer(2);
    const kind = integer(3);
    const options: TaskOptions = {
      ...{ id: `t${ids++}`, queue: pick(QUEUES), priority: integer(4), cost: Math.min(cost, rate.burst) },
      ...(integer(3) === 0 ? { delayMs: integer(40) } : {}),
      ...(integer(9) === 0 ? { ttlMs: 1 + integer(60) } : {}),
    };
    if (core.backlog.size >= core.intake.capacity) return;
    const handler = pick(HANDLERS);
    const work = () => {
      const start = { at: clock.now(), cost: Math.min(options.cost ?? 1, rate.burst) };
      starts.push(start);
      if (handler === "slow") ofSlow.push(start);
      if (kind === 2 && integer(7) === 0) throw rateLimited({ retryAfterMs: integer(50) });
      if (kind === 0) throw new Error("once more");
      if (kind === 1) return undefined;
      return new Promise<void>((resolve, reject) => {
        ends.push((fail) => (fail ? reject(new Error("once more")) : resolve()));
      });
    };
    if (handler === undefined) core.calls.enqueue(work, options, undefined);
    else core.calls.enqueue(handler, work, options);
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
    () => {
      slowRate = pick([5, 40, 400]);
      controls.setRate({ handler: "slow", tasksPerSecond: slowRate, burst: 4 });
      ofSlow.length = 0;
    },
    () => clock.advance(pick([0, 1, 7, 30])),
    () => clock.advance(pick([0, 1, 7, 30])),
    () => clock.block(integer(5)),
  ];
  for (let step = 0; step < steps; step++) {
    await pick(operations)();
    await clock.advance(0);
    if (startable(manual) !== undefined) await clock.advance(1e-6); // sums of fractions end a hair late
    const found = startable(manual);
    if (found !== undefined)
      expect.unreachable(`seed ${seed}, step ${step}: ${found} could start and does not`);
    expect(leastBurst(starts, rate.tasksPerSecond)).toBeLessThanOrEqual(rate.burst + ROUNDING);
    expect(leastBurst(ofSlow, slowRate)).toBeLessThanOrEqual(4 + ROUNDING);
  }
  // Nothing is left behind once all is open again.
  for (const queue of QUEUES) controls.resume({ queue });
  controls.resume();
  controls.setRate({ tasksPerSecond: 1_000_000, burst: 1_000 });
  controls.setRate({ queue: "narrow", tasksPerSecond: 1_000_000, burst: 1_000 });
  controls.setRate({ handler: "slow", tasksPerSecond: 1_000_000, burst: 1_000 });
  for (let round = 0; core.settler.unsettled > 0 && round < 500; round++) {
    for (const end of ends.splice(0)) end(false);
    await clock.advance(10);
  }
  expect(core.settler.unsettled).toBe(0);
  expect(core.tallies.total().started).toBeGreaterThan(steps / 20);
  expect([...core.queues.queues()].map(({ name }) => name)).toEqual(["narrow", "single", "default"]);
  expect([...core.queues.handlers()].map(({ waiting, running }) => waiting + running)).toEqual([0, 0, 0]);
}

describe("L9: a free slot, an eligible task and a free permit are never together", () => {
  test.each([1, 2, 3, 4, 5, 112, 133, 174])("over 2,000 random operations, seed %i", async (seed) => {
    await runRandomly(seed, 2_000);
  });
});
