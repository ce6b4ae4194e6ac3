import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { defineHandlers, json, memoryBackend, TaskManager } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { runCount } from "../support/run-count.js";
import { leastBurst, ROUNDING, type Start } from "../support/start-windows.js";

const HANDLERS = ["one", "two"] as const;
const QUEUES = ["first", "second"] as const;
type HandlerName = (typeof HANDLERS)[number];
type QueueName = (typeof QUEUES)[number];

const places = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 1 });
const rateLimit = fc.option(
  fc.record({ tasksPerSecond: fc.integer({ min: 20, max: 200 }), burst: fc.integer({ min: 1, max: 4 }) }),
  { nil: undefined, freq: 2 },
);
const limits = fc.record({ maxConcurrency: places, rateLimit });
const changes = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("pause" as const), queue: fc.constantFrom(...QUEUES) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pauseAll" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("resize" as const), to: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("silence" as const) }) },
);

const plans = fc.record({
  handlers: fc.record({ one: limits, two: limits }),
  queues: fc.record({ first: limits, second: limits }),
  shares: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  rateLimit,
  strictQueues: fc.boolean(),
  concurrency: fc.integer({ min: 1, max: 5 }),
  claimMs: fc.constantFrom(0, 1, 3, 60, 200),
  workMs: fc.constantFrom(0, 1, 10),
  tasks: fc.array(
    fc.record({
      handler: fc.constantFrom(...HANDLERS),
      queue: fc.constantFrom(...QUEUES),
      durable: fc.boolean(),
      cost: fc.integer({ min: 1, max: 2 }),
    }),
    { minLength: 10, maxLength: 60 },
  ),
  changes: fc.array(fc.record({ afterMs: fc.integer({ min: 1, max: 120 }), change: changes }), {
    maxLength: 6,
  }),
});
type Plan = typeof plans extends fc.Arbitrary<infer P> ? P : never;

type Limits = Plan["handlers"]["one"];

/** What starts under one name: how many run, the most that ever did, and the permits that each took. */
class Gauge {
  readonly #running = new Map<string, number>();
  readonly #most = new Map<string, number>();
  readonly #starts = new Map<string, Start[]>();

  begin(name: string, start: Start): void {
    const starts = this.#starts.get(name) ?? [];
    starts.push(start);
    this.#starts.set(name, starts);
    const running = (this.#running.get(name) ?? 0) + 1;
    this.#running.set(name, running);
    this.#most.set(name, Math.max(running, this.#most.get(name) ?? 0));
  }

  end(name: string): void {
    this.#running.set(name, (this.#running.get(name) ?? 0) - 1);
  }

  /** Whether its limits have held all the time, in every window (I11). */
  expectWithin(name: string, { maxConcurrency, rateLimit }: Limits): void {
    expect(this.#most.get(name) ?? 0).toBeLessThanOrEqual(maxConcurrency ?? Number.POSITIVE_INFINITY);
    if (rateLimit === undefined) return;
    const least = leastBurst(this.#starts.get(name) ?? [], rateLimit.tasksPerSecond);
    expect(least).toBeLessThanOrEqual(rateLimit.burst + ROUNDING);
  }
}

interface Given {
  readonly id: string;
  readonly handler: HandlerName;
  readonly queue: QueueName;
  readonly cost: number;
}

async function play(plan: Plan): Promise<void> {
  const clock = new ManualClock();
  const store = memoryBackend({ clock });
  const gauge = new Gauge();
  const ended = new Set<string>();
  const after = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
  let silent = false;
  const run = async ({ id, handler, queue, cost }: Given) => {
    const names = [handler, queue, "all"];
    for (const name of names) gauge.begin(name, { at: clock.now(), cost });
    if (plan.workMs > 0) await after(plan.workMs);
    for (const name of names) gauge.end(name);
    ended.add(id);
  };
  const payload = json<Given>();
  const handlers = defineHandlers({
    one: { payload, run, ...plan.handlers.one },
    two: { payload, run, ...plan.handlers.two },
  });
  const [first, second] = plan.shares;
  const tasks = new TaskManager({
    ...{ clock, random: seededRandom(1), handlers, autoStart: false, ...plan.rateLimit },
    ...{ concurrency: plan.concurrency, strictQueues: plan.strictQueues },
    queues: {
      first: { share: first, ...plan.queues.first },
      second: { share: second, ...plan.queues.second },
    },
    backend: breakClient(store.connect(), (sound) => ({
      claim: async (request) => {
        await after(silent ? 2_000 : plan.claimMs);
        return sound.claim(request);
      },
    })),
  });
  onTestFinished(() => void tasks.stopNow());
  for (const [index, { handler, queue, durable, ...task }] of plan.tasks.entries()) {
    const rates = [plan.handlers[handler].rateLimit, plan.queues[queue].rateLimit, plan.rateLimit];
    const cost = Math.min(task.cost, ...rates.map((rate) => rate?.burst ?? task.cost));
    const given = { id: String(index), handler, queue, cost };
    if (durable) await tasks.enqueueDurable(handler, given, { queue, cost });
    else tasks.enqueue(handler, given, { queue, cost });
  }
  tasks.start();
  for (const { afterMs, change } of plan.changes) {
    await clock.advance(afterMs);
    if (change.kind === "pause") tasks.pause({ queue: change.queue });
    else if (change.kind === "pauseAll") tasks.pause();
    else if (change.kind === "resize") tasks.setConcurrency({ inline: change.to });
    else silent = !silent;
  }
  silent = false;
  for (const queue of QUEUES) tasks.resume({ queue });
  tasks.resume();
  // A claim that is not answered may last for two seconds, and a poll for six; then there is work all the time.
  await clock.advance(9_000);
  await clock.advance(plan.tasks.length * (plan.workMs + 4 * plan.claimMs + 150));
  expect(ended.size).toBe(plan.tasks.length);
  for (const name of HANDLERS) gauge.expectWithin(name, plan.handlers[name]);
  for (const name of QUEUES) gauge.expectWithin(name, plan.queues[name]);
  gauge.expectWithin("all", { maxConcurrency: undefined, rateLimit: plan.rateLimit });
  const stopped = tasks.stopNow();
  await clock.advance(60_000);
  await stopped;
}

test("whatever limits there are, and whatever happens, tasks of both kinds end, and within the limits", async () => {
  await fc.assert(fc.asyncProperty(plans, play), { numRuns: runCount(300, 20_000) });
});
