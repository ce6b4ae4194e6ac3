import { describe, expect, test } from "vitest";
import { defineHandlers, json, type TaskManagerOptions } from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { createScene } from "../support/durable-scene.js";
import { LateClock } from "../support/late-clock.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

interface Plan {
  readonly of: "all" | "queue" | "handler";
  readonly tasksPerSecond: number;
  readonly burst?: number;
  readonly claimMs: number;
  readonly clock?: ManualClock;
}

/** A process under one limit, whose store takes a while for each claim. */
function startLimited({ of, tasksPerSecond, burst = 1, claimMs, clock = new ManualClock() }: Plan) {
  const scene = createScene({}, clock);
  const starts: (Start & { readonly kind: string })[] = [];
  const limit = { rateLimit: { tasksPerSecond, burst } };
  const handlers = defineHandlers({
    work: {
      payload: json<string>(),
      run: (kind) => void starts.push({ at: clock.now(), cost: 1, kind }),
      ...(of === "handler" && limit),
    },
  });
  const options: TaskManagerOptions<typeof handlers> = {
    ...{ handlers, concurrency: 10, autoStart: false, capacity: 100_000 },
    ...(of === "all" && limit.rateLimit),
    ...(of === "queue" && { queues: { default: limit } }),
  };
  const tasks = scene.manager(options, (client) =>
    breakClient(client, (sound) => ({
      claim: (request) =>
        new Promise<void>((resolve) => clock.setTimeout(resolve, claimMs)).then(() => sound.claim(request)),
    })),
  );
  const enqueue = (count: number) =>
    tasks.enqueueDurableMany(Array.from({ length: count }, () => ["work", "durable"] as const));
  return { ...scene, starts, tasks, enqueue };
}

const SECONDS = 5;

async function startsOf(plan: Plan) {
  const { clock, enqueue, starts, tasks } = startLimited(plan);
  await enqueue(Math.ceil(plan.tasksPerSecond * SECONDS * 1.2));
  tasks.start();
  await clock.advance(SECONDS * 1_000);
  return { starts, returned: tasks.stats().durable.calls.nack.count };
}

const kinds = ["all", "queue", "handler"] as const;

describe("L1: the rate of durable tasks one at a time is used, however long a claim takes within a permit", () => {
  test.each(
    kinds.flatMap((of) =>
      [
        { tasksPerSecond: 10, claimMs: 40 },
        { tasksPerSecond: 100, claimMs: 0.4 },
        { tasksPerSecond: 100, claimMs: 8 },
        { tasksPerSecond: 500, claimMs: 1.5 },
      ].map((plan) => ({ of, ...plan })),
    ),
  )("of the $of, at $tasksPerSecond a second, claims of $claimMs ms", async (plan) => {
    const { starts, returned } = await startsOf(plan);
    expect(leastBurst(starts, plan.tasksPerSecond)).toBeLessThanOrEqual(1 + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual(plan.tasksPerSecond * SECONDS * 0.98);
    expect(returned, "none is claimed in vain").toBe(0);
  });

  test.each(kinds)("of the %s, also with timers as late as those of Node", async (of) => {
    const { starts, returned } = await startsOf({
      ...{ of, tasksPerSecond: 100, claimMs: 3, clock: new LateClock() },
    });
    expect(leastBurst(starts, 100)).toBeLessThanOrEqual(1 + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual(100 * SECONDS * 0.98);
    expect(returned).toBe(0);
  });

  test.each(kinds)("of the %s, with claims that take longer than a permit, as fast as these", async (of) => {
    const { starts, returned } = await startsOf({ of, tasksPerSecond: 200, claimMs: 20 });
    expect(leastBurst(starts, 200)).toBeLessThanOrEqual(1 + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual((SECONDS * 1_000) / 20 - 5);
    expect(returned).toBe(0);
  });
});

describe("what is claimed ahead of its permit", () => {
  test.each(kinds)("leaves none unused where tasks of this process want them, too: of the %s", async (of) => {
    const { clock, enqueue, starts, tasks } = startLimited({ of, tasksPerSecond: 100, claimMs: 4 });
    await enqueue(1_000);
    for (let index = 0; index < 1_000; index++) tasks.enqueue("work", "local");
    tasks.start();
    await clock.advance(SECONDS * 1_000);
    expect(leastBurst(starts, 100)).toBeLessThanOrEqual(1 + ROUNDING);
    expect(starts.length).toBeGreaterThanOrEqual(100 * SECONDS * 0.98);
    const durable = starts.filter(({ kind }) => kind === "durable").length;
    expect(durable).toBeGreaterThan(starts.length * 0.4);
    expect(durable).toBeLessThan(starts.length * 0.6);
  });

  test.each(
    kinds.flatMap((of) =>
      [
        [79, 20],
        [130, 20],
        [172, 37],
        [79, 60],
        [33, 120],
      ].map(([tasksPerSecond, claimMs]) => ({ of, tasksPerSecond, claimMs }) as Plan),
    ),
  )(
    "does not starve where local tasks take permits meanwhile: of the $of, at $tasksPerSecond a second, claims of $claimMs ms",
    async (plan) => {
      const { clock, enqueue, starts, tasks } = startLimited(plan);
      await enqueue(1_000);
      for (let index = 0; index < 1_000; index++) tasks.enqueue("work", "local");
      tasks.start();
      await clock.advance(3_000);
      expect(leastBurst(starts, plan.tasksPerSecond)).toBeLessThanOrEqual(1 + ROUNDING);
      const durable = starts.filter(({ kind }) => kind === "durable").length;
      expect(durable).toBeGreaterThan(0.35 * (3_000 / plan.claimMs)); // after each claim the others have a turn
      expect(starts.length - durable).toBeGreaterThan(plan.tasksPerSecond * 3 * 0.4);
    },
  );

  test("goes back at a stop in which it still waits, and is run by another process", async () => {
    const plan = { of: "queue", tasksPerSecond: 20, claimMs: 20 } as const;
    const { clock, counts, enqueue, manager, starts, tasks } = startLimited(plan);
    await enqueue(3);
    tasks.start();
    // The second claim begins when its answer is looked for: 20.25 ms before the permit, so it is answered just before.
    await clock.advance(20 + 49.9);
    expect(starts).toHaveLength(1);
    expect(await counts()).toMatchObject({ leased: 1, ready: 1 });
    const stopped = tasks.stopGraceful();
    await clock.advance(1_000);
    expect(await stopped).toMatchObject({ failed: 0 });
    expect(starts).toHaveLength(1);
    expect(await counts()).toMatchObject({ leased: 0, ready: 2 });
    const run = (kind: string) => void starts.push({ at: clock.now(), cost: 1, kind });
    manager({ handlers: defineHandlers({ work: { payload: json<string>(), run } }) });
    await clock.advance(1_000);
    expect(starts).toHaveLength(3);
  });

  test("goes back, and is not lost, where the rate is lowered meanwhile", async () => {
    const plan = { of: "queue", tasksPerSecond: 20, claimMs: 20 } as const;
    const { clock, counts, enqueue, starts, tasks } = startLimited(plan);
    await enqueue(3);
    tasks.start();
    await clock.advance(20 + 49.9);
    expect(await counts()).toMatchObject({ leased: 1 });
    tasks.setRate({ queue: "default", tasksPerSecond: 1 });
    await clock.advance(100);
    expect(starts).toHaveLength(1);
    await clock.advance(3_000);
    expect(starts).toHaveLength(3);
    expect(leastBurst(starts.slice(1), 1)).toBeLessThanOrEqual(1 + ROUNDING);
  });
});
