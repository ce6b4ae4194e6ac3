import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { defineHandlers, json, memoryBackend, TaskManager } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { breakClient } from "../support/broken-backend.js";
import { runCount } from "../support/run-count.js";

const HANDLERS = ["one", "two"] as const;
const QUEUES = ["first", "second"] as const;
type HandlerName = (typeof HANDLERS)[number];
type QueueName = (typeof QUEUES)[number];

const places = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 1 });
const rateLimit = fc.option(
  fc.record({ tasksPerSecond: fc.integer({ min: 20, max: 200 }), burst: fc.integer({ min: 2, max: 4 }) }),
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

/** How many of each kind run, and the most that ever did. */
class Gauge {
  readonly #running = new Map<string, number>();
  readonly #most = new Map<string, number>();

  begin(name: string): void {
    const running = (this.#running.get(name) ?? 0) + 1;
    this.#running.set(name, running);
    this.#most.set(name, Math.max(running, this.#most.get(name) ?? 0));
  }

  end(name: string): void {
    this.#running.set(name, (this.#running.get(name) ?? 0) - 1);
  }

  most(name: string): number {
    return this.#most.get(name) ?? 0;
  }
}

async function play(plan: Plan): Promise<void> {
  const clock = new ManualClock();
  const store = memoryBackend({ clock });
  const gauge = new Gauge();
  const ended = new Set<string>();
  const after = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
  let silent = false;
  const run = async (payload: { id: string; handler: HandlerName; queue: QueueName }) => {
    for (const name of [payload.handler, payload.queue]) gauge.begin(name);
    if (plan.workMs > 0) await after(plan.workMs);
    for (const name of [payload.handler, payload.queue]) gauge.end(name);
    ended.add(payload.id);
  };
  const payload = json<{ id: string; handler: HandlerName; queue: QueueName }>();
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
  for (const [index, { handler, queue, durable, cost }] of plan.tasks.entries()) {
    const given = { id: String(index), handler, queue };
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
  for (const name of HANDLERS)
    expect(gauge.most(name)).toBeLessThanOrEqual(plan.handlers[name].maxConcurrency ?? Infinity);
  for (const name of QUEUES)
    expect(gauge.most(name)).toBeLessThanOrEqual(plan.queues[name].maxConcurrency ?? Infinity);
  const stopped = tasks.stopNow();
  await clock.advance(60_000);
  await stopped;
}

test("whatever limits there are, and whatever happens, tasks of both kinds end, and within the limits", async () => {
  await fc.assert(fc.asyncProperty(plans, play), { numRuns: runCount(300, 20_000) });
});
