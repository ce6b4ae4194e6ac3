import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Alarms } from "../../../src/core/manager/alarms.js";
import { IdempotencyKeys } from "../../../src/core/manager/idempotency-keys.js";
import type { TaskHandle } from "../../../src/core/manager/task-handle.js";
import type { TaskPlan } from "../../../src/core/manager/task-plan.js";
import { DuplicateTaskError, QueueFullError, ResultExpiredError } from "../../../src/errors.js";
import type { TaskEntry } from "../../../src/index.js";
import { GroupTally } from "../../../src/task/group-tally.js";
import { type OnDuplicate, type OnFailure, toIdempotencyRules } from "../../../src/task/idempotency.js";
import { BUILT_IN_SETTINGS } from "../../../src/task/settings.js";
import { MOVES } from "../../../src/task/states.js";
import type { Task } from "../../../src/task/task.js";
import type { TaskContext } from "../../../src/task/task-context.js";
import { TaskIds } from "../../../src/task/task-ids.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";
import { ObservedManager } from "../../support/observed-manager.js";
import { bytes, collectGarbage } from "../collections/collect-garbage.js";
import { type Expected, type KeyedRequest, KeysModel } from "./idempotency-keys-model.js";

/** Keys by themselves, and who accepts and ends tasks for them. */
class KeyScene {
  readonly clock = new ManualClock();
  readonly alarms = new Alarms(this.clock);
  readonly keys: IdempotencyKeys;
  #number = 0;

  constructor(maxKeys: number) {
    this.keys = new IdempotencyKeys(toIdempotencyRules({ maxKeys }), this.alarms);
  }

  /** Accepts a task, whose handle is any object that has to be let go in the end. */
  accept(idempotencyKey: string, ttlMs = 1_000): { task: Task; handle: TaskHandle } {
    const plan = this.plan(idempotencyKey, ttlMs);
    const [verdict] = this.keys.judge([{ work: () => 1, plan }], this.clock.now());
    const task = newTask({
      ...{ number: ++this.#number, state: "running", details: { idempotencyKey } },
      enqueuedAt: this.clock.now(),
    });
    const handle: TaskHandle = {
      ...{ id: task.id, state: "running", duplicate: false },
      ...{ result: async () => undefined, cancel: () => false },
    };
    if (verdict?.kind !== "accept") return expect.unreachable("the key is free");
    this.keys.take(verdict, task, handle);
    return { task, handle };
  }

  complete(task: Task): void {
    task.move(MOVES.running.complete);
    this.keys.ended(task, this.clock.now());
  }

  isHeld(idempotencyKey: string): boolean {
    return this.keys.isHeld(this.plan(idempotencyKey), this.clock.now());
  }

  plan(idempotencyKey: string, ttlMs = 1_000): TaskPlan {
    const tally = new GroupTally("default", undefined);
    const settings = BUILT_IN_SETTINGS;
    const profile = {
      ids: new TaskIds("p-"),
      queue: "default",
      handler: undefined,
      lane: "inline" as const,
      settings,
      tally,
    };
    return { profile, order: 0, options: { idempotencyKey, idempotency: { ttlMs } } };
  }
}

describe("keys by themselves", () => {
  test("set an alarm for each finished one and none for live ones, and clear it with the key", async () => {
    const scene = new KeyScene(2);
    const { alarms, clock, keys } = scene;
    const tasks = ["a", "b", "c"].map((key) => scene.accept(key).task);
    expect([alarms.size, clock.timers, keys.size]).toEqual([0, 0, 3]);
    for (const task of tasks) scene.complete(task);
    expect([alarms.size, keys.size, keys.tally.forgotten]).toEqual([2, 2, 1]);
    await clock.advance(1_000);
    expect([alarms.size, clock.timers, keys.size]).toEqual([0, 0, 0]);
  });

  test("refuse to be taken by another when they are held since the verdict", () => {
    const scene = new KeyScene(2);
    const acceptance = scene.keys.judge([{ work: () => 1, plan: scene.plan("a") }], 0)[0];
    const { task } = scene.accept("a");
    if (acceptance?.kind !== "accept") return expect.unreachable("the key was free");
    const late = newTask({ number: 99, details: { idempotencyKey: "a" } });
    const { handle } = scene.accept("other");
    expect(() => scene.keys.take(acceptance, late, handle)).toThrow(DuplicateTaskError);
    expect(scene.keys.size).toBe(2);
    scene.complete(task);
    expect(scene.isHeld("a")).toBe(true);
  });

  test("refer to no handle that was pruned, expired, forgotten or cancelled", async () => {
    const scene = new KeyScene(3);
    const refs = await leave(scene);
    await collectGarbage();
    const alive = Object.entries(refs).filter(([, ref]) => ref.deref() !== undefined);
    expect(alive.map(([key]) => key)).toEqual(["retained"]);
    expect(Object.keys(refs).filter((key) => scene.isHeld(key))).toEqual(["pruned", "retained"]);
  });

  test("take memory for those that are held, not for those that were", async () => {
    const scene = new KeyScene(100);
    scene.complete(scene.accept("first", 1e9).task); // it ended before all others and outlives them
    const before = await bytes();
    for (let round = 0; round < 2_000; round++) {
      for (let one = 0; one < 50; one++) scene.complete(scene.accept(`${round}-${one}`, 1).task);
      await scene.clock.advance(1);
    }
    expect([scene.keys.size, scene.keys.tally.forgotten]).toEqual([1, 0]);
    const after = await bytes();
    expect(after.onHeap - before.onHeap).toBeLessThan(2_000_000); // 100,000 of them take ten times as much
  });
});

/** A function of its own: a frame that goes on would keep the last one. */
async function leave(scene: KeyScene): Promise<Record<string, WeakRef<object>>> {
  const refs: Record<string, WeakRef<object>> = {};
  const accept = (key: string, ttlMs?: number) => {
    const { task, handle } = scene.accept(key, ttlMs);
    refs[key] = new WeakRef(handle);
    return task;
  };
  const pruned = accept("pruned");
  const cancelled = accept("cancelled");
  scene.complete(accept("forgotten"));
  scene.complete(pruned);
  scene.keys.pruned(pruned.number);
  cancelled.move(MOVES.running.cancel, "cancelled");
  scene.keys.ended(cancelled, scene.clock.now());
  scene.complete(accept("retained"));
  scene.complete(accept("expired", 1)); // for which the first one that ended is forgotten
  await scene.clock.advance(1);
  return refs;
}

type Step =
  | { readonly do: "call"; readonly entries: readonly Entry[] }
  | { readonly do: "end"; readonly which: number; readonly how: "complete" | "fail" | "cancel" }
  | { readonly do: "advance"; readonly ms: number };

interface Entry {
  /** Undefined for a task without a key. */
  readonly key: number | undefined;
  readonly queue: "one" | "two";
  readonly onDuplicate: OnDuplicate;
  readonly onFailure: OnFailure;
  readonly ttlMs: number;
  readonly delayMs: number;
}

interface Settings {
  readonly capacity: number;
  readonly concurrency: number;
  readonly maxKeys: number;
  readonly maxRetained: number;
}

const settings: fc.Arbitrary<Settings> = fc.record({
  capacity: fc.integer({ min: 1, max: 6 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  maxKeys: fc.nat(5),
  maxRetained: fc.nat(5),
});

const entry: fc.Arbitrary<Entry> = fc.record({
  key: fc.option(fc.nat(3), { nil: undefined, freq: 5 }),
  queue: fc.constantFrom("one", "two"),
  onDuplicate: fc.constantFrom("keep", "keep", "replace", "replace", "reject"),
  onFailure: fc.constantFrom("hold", "free"),
  // Half a millisecond, so that no key expires in the same instant in which anything else happens.
  ttlMs: fc.constantFrom(0.5, 10.5, 50.5),
  delayMs: fc.constantFrom(0, 0, 5, 20),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("call"),
      entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant("end"),
      which: fc.nat(20),
      how: fc.constantFrom("complete", "complete", "fail", "cancel"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance"), ms: fc.nat(30) }) },
);

/** A task that was accepted, as the test knows it. */
interface Known {
  readonly id: string;
  readonly handle: TaskHandle;
  end(how: "complete" | "fail"): void;
}

/** A manager beside the model of its keys. */
class Play {
  readonly tasks: ObservedManager;
  readonly #settings: Settings;
  readonly #model: KeysModel;
  readonly #requests = new Map<string, KeyedRequest | undefined>();
  readonly #known = new Map<string, Known>();
  readonly #shared: (readonly [Promise<unknown>, Promise<unknown>])[] = [];
  #ids = 0;

  constructor(options: Settings) {
    this.#settings = options;
    const { capacity, concurrency, maxKeys, maxRetained } = options;
    this.tasks = new ObservedManager({
      ...{ capacity, concurrency, idempotency: { maxKeys }, retention: { maxEntries: maxRetained } },
    });
    this.#model = new KeysModel(maxKeys, maxRetained);
    const accepted = new Set<string>();
    this.tasks.core.journal.events.subscribe((event) => {
      if (!("task" in event)) return;
      const { id, state } = event.task;
      const now = this.tasks.clock.now();
      if (event.type === "finished") this.#model.ended(id, state, now);
      else if (!accepted.has(id)) this.#model.accepted(id, this.#requests.get(id), now);
      accepted.add(id);
    });
  }

  async run(script: readonly Step[]): Promise<void> {
    for (const one of script) {
      if (one.do === "call") await this.#call(one.entries);
      else if (one.do === "end") this.#end(one.which, one.how);
      else await this.tasks.clock.advance(one.ms);
      await this.tasks.clock.settle();
      this.#compare();
    }
    await this.tasks.expectCleanEnd();
    for (const [first, second] of this.#shared) expect(await second).toBe(await first);
  }

  #compare(): void {
    this.#model.expire(this.tasks.clock.now());
    const { tally, size } = this.#model;
    expect(this.tasks.stats().idempotency).toEqual({ keys: size, ...tally });
  }

  async #call(entries: readonly Entry[]): Promise<void> {
    this.#model.expire(this.tasks.clock.now());
    const { tally } = this.#model;
    const requests = entries.map(toRequest);
    const expected = this.#model.judge(requests, (id) => this.#isWaiting(id));
    const { queued, scheduled } = this.tasks.stats();
    const added = expected?.filter(({ kind }) => kind === "new").length ?? 0;
    const free = this.#settings.capacity - queued - scheduled;
    const calls = entries.map((one, index) => this.#entry(one, requests[index]));
    const enqueue = () => this.tasks.enqueueMany(calls.map(({ entry }) => entry));
    if (expected === undefined) {
      tally.rejected++;
      expect(enqueue).toThrow(DuplicateTaskError);
    } else if (added > 0 && added > free) {
      expect(enqueue).toThrow(QueueFullError);
    } else {
      const handles = enqueue();
      for (const [index, one] of expected.entries()) await this.#expect(one, calls, handles, index);
    }
  }

  async #expect(
    expected: Expected,
    calls: readonly { readonly id: string; end: Known["end"] }[],
    handles: readonly TaskHandle[],
    index: number,
  ): Promise<void> {
    const { tally } = this.#model;
    const handle = handles[index] as TaskHandle;
    const call = calls[index] as (typeof calls)[number];
    if (expected.kind === "new" || expected.kind === "replace") {
      expect([handle.id, handle.duplicate]).toEqual([call.id, false]);
      this.#known.set(call.id, { ...call, handle });
      if (expected.kind === "new") return;
      tally.replaced++;
      expect(this.#known.get(expected.id)?.handle.state).toBe("cancelled");
      return;
    }
    tally.kept++;
    const id = expected.kind === "repeat" ? calls[expected.first]?.id : expected.id;
    expect([handle.id, handle.duplicate]).toEqual([id, true]);
    const first = this.#known.get(handle.id)?.handle as TaskHandle;
    expect(handle.state).toBe(first.state);
    if (expected.kind === "keep" && expected.pruned) {
      await expect(handle.result()).rejects.toBeInstanceOf(ResultExpiredError);
    } else {
      const swallow = (error: unknown) => error;
      this.#shared.push([first.result().catch(swallow), handle.result().catch(swallow)]);
    }
  }

  #isWaiting(id: string): boolean {
    const state = this.#known.get(id)?.handle.state;
    return state === "queued" || state === "scheduled";
  }

  #entry({ queue, onDuplicate, onFailure, ttlMs, delayMs }: Entry, request: KeyedRequest | undefined) {
    const id = `task-${++this.#ids}`;
    this.#requests.set(id, request);
    const { promise, resolve, reject } = withResolvers<string>();
    const work = ({ signal }: TaskContext) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      return promise;
    };
    const idempotencyKey = request?.scope.split(" ")[1];
    const own =
      idempotencyKey === undefined ? {} : { idempotencyKey, idempotency: { onDuplicate, onFailure, ttlMs } };
    const entry: TaskEntry = [work, { id, queue, delayMs, ...own }];
    const end = (how: "complete" | "fail") => (how === "complete" ? resolve(id) : reject(new Error(id)));
    return { id, entry, end };
  }

  #end(which: number, how: "complete" | "fail" | "cancel"): void {
    const states = how === "cancel" ? ["queued", "scheduled", "running"] : ["running"];
    const candidates = [...this.#known.values()].filter(({ handle }) => states.includes(handle.state));
    const chosen = candidates[which % Math.max(1, candidates.length)];
    if (how === "cancel") chosen?.handle.cancel();
    else chosen?.end(how);
  }
}

function toRequest({ key, queue, onDuplicate, onFailure, ttlMs }: Entry): KeyedRequest | undefined {
  return key === undefined ? undefined : { scope: `${queue} key-${key}`, onDuplicate, onFailure, ttlMs };
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  promise.catch(() => {}); // of a task that never starts
  return { promise, resolve, reject };
}

/** `MILLRACE_MODEL_RUNS=10000` takes minutes. */
const RUNS = Number(process.env["MILLRACE_MODEL_RUNS"] ?? 300);

test("I2: keys do what their model does, whatever is enqueued, ended and waited for", {
  timeout: 120_000,
}, async () => {
  const script = fc.array(step, { minLength: 10, maxLength: 60 });
  const totals = { kept: 0, replaced: 0, rejected: 0, forgotten: 0 };
  await fc.assert(
    fc.asyncProperty(settings, script, async (options, steps) => {
      const play = new Play(options);
      await play.run(steps);
      const { idempotency } = play.tasks.stats();
      totals.kept += idempotency.kept;
      totals.replaced += idempotency.replaced;
      totals.rejected += idempotency.rejected;
      totals.forgotten += idempotency.forgotten;
    }),
    { numRuns: RUNS },
  );
  for (const [what, count] of Object.entries(totals)) expect(count, what).toBeGreaterThan(100);
});
