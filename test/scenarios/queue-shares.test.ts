import { describe, expect, test } from "vitest";
import type { TaskManager, TaskManagerOptions } from "../../src/index.js";
import { collectGarbage } from "../core/collections/collect-garbage.js";
import { createManager } from "../support/manual-manager.js";

type Shares = Readonly<Record<string, number>>;

/** Far more than the tests enqueue. */
const CAPACITY = 1_000_000;
/** So many starts fit into the turns of the event loop that `settle` gives. */
const STARTS_PER_TURN = 512;

function createShared(shares: Shares, more: TaskManagerOptions = {}) {
  const queues = Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, { share }]));
  const started: string[] = [];
  const { clock, tasks } = createManager({ concurrency: 1, capacity: CAPACITY, queues, ...more });
  const fill = (queue: string, count: number) => {
    for (let index = 0; index < count; index++) tasks.enqueue(() => started.push(queue), { queue });
  };
  const settle = (starts: number) => clock.settle(Math.ceil(starts / STARTS_PER_TURN) + 3);
  return { clock, tasks, started, fill, settle };
}

/** How many starts each queue had. */
function countByQueue(started: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const queue of started) counts[queue] = (counts[queue] ?? 0) + 1;
  return counts;
}

/** The most starts of others that a queue had to wait for between two of its own, the first included. */
function longestWaits(started: readonly string[], queues: readonly string[]): Record<string, number> {
  const longest = queues.map((queue) => {
    let waited = 0;
    let most = 0;
    for (const each of started) {
      waited = each === queue ? 0 : waited + 1;
      most = Math.max(most, waited);
    }
    return [queue, most] as const;
  });
  return Object.fromEntries(longest);
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((one, other) => one + other, 0);
}

describe("Q7: queues that are always full share the starts", () => {
  test.each<[string, Shares]>([
    ["3:1", { heavy: 3, light: 1 }],
    ["6:3:1", { critical: 6, default: 3, low: 1 }],
    ["1:1", { one: 1, other: 1 }],
    ["1000:7:1", { most: 1_000, some: 7, least: 1 }],
    ["5:4:3:2:1", { five: 5, four: 4, three: 3, two: 2, one: 1 }],
  ])(
    "%s, within 2% over 10,000 starts, and none waits longer than the sum of the shares",
    async (_, shares) => {
      const starts = 10_000;
      const { tasks, started, fill, settle } = createShared(shares, { autoStart: false });
      for (const queue of Object.keys(shares)) fill(queue, starts);
      tasks.start();
      await settle(Object.keys(shares).length * starts);
      const whileAllWereFull = started.slice(0, starts);
      const total = sum(Object.values(shares));
      const counts = countByQueue(whileAllWereFull);
      const waits = longestWaits(whileAllWereFull, Object.keys(shares));
      for (const [queue, share] of Object.entries(shares)) {
        const due = (starts * share) / total;
        expect(Math.abs((counts[queue] ?? 0) - due)).toBeLessThanOrEqual(Math.max(1, due * 0.02));
        expect(waits[queue]).toBeLessThanOrEqual(total);
      }
    },
  );

  test("with tasks that run for a while in several slots", async () => {
    const { clock, tasks, started } = createShared({ heavy: 3, light: 1 }, { concurrency: 8 });
    const wait = () => new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
    for (let index = 0; index < 400; index++) {
      for (const queue of ["heavy", "light"]) {
        tasks.enqueue(() => wait().then(() => started.push(queue)), { queue });
      }
    }
    await clock.advance(500);
    expect(countByQueue(started.slice(0, 400))).toEqual({ heavy: 300, light: 100 });
  });

  test("whatever the priorities of their tasks: a priority counts within its queue", async () => {
    const { clock, tasks, started } = createShared({ heavy: 3, light: 1 }, { autoStart: false });
    for (let index = 0; index < 400; index++) {
      tasks.enqueue(() => started.push("heavy"), { queue: "heavy", priority: 1_000 });
      tasks.enqueue(() => started.push("light"), { queue: "light", priority: -1_000 });
    }
    tasks.start();
    await clock.settle(8);
    expect(countByQueue(started.slice(0, 400))).toEqual({ heavy: 300, light: 100 });
  });

  test("a queue that was empty for a while does not catch up", async () => {
    const { tasks, started, fill, settle } = createShared({ heavy: 3, light: 1 });
    await tasks.pause();
    fill("light", 2_000);
    tasks.resume();
    await settle(2_000);
    expect(started).toHaveLength(2_000);
    started.length = 0;
    await tasks.pause();
    fill("heavy", 400);
    fill("light", 400);
    tasks.resume();
    await settle(800);
    // The one that went on may have had its last turn early.
    const { heavy = 0 } = countByQueue(started.slice(0, 400));
    expect(Math.abs(heavy - 300)).toBeLessThanOrEqual(1);
    expect(longestWaits(started.slice(0, 400), ["heavy", "light"])).toEqual({ heavy: 1, light: 4 });
  });

  test("a queue that was paused for a while does not catch up", async () => {
    const { tasks, started, fill, settle } = createShared({ heavy: 3, light: 1 });
    await tasks.pause({ queue: "heavy" });
    fill("heavy", 400);
    fill("light", 1_500);
    await settle(1_000);
    const before = started.length;
    fill("light", 400);
    await tasks.pause();
    tasks.resume({ queue: "heavy" });
    fill("light", 400);
    tasks.resume();
    await settle(1_200);
    // The one that went on may have had its last turn early.
    const { heavy = 0 } = countByQueue(started.slice(before, before + 400));
    expect(Math.abs(heavy - 300)).toBeLessThanOrEqual(1);
  });

  test("a queue with nothing to do leaves its turns to the others", async () => {
    const { tasks, started, fill, settle } = createShared({ critical: 6, default: 3, low: 1 });
    await tasks.pause();
    fill("default", 300);
    fill("low", 300);
    tasks.resume();
    await settle(600);
    expect(countByQueue(started.slice(0, 400))).toEqual({ default: 300, low: 100 });
  });

  test("a queue that no option names has share 1", async () => {
    const { tasks, started, fill, settle } = createShared({ default: 3 }, { autoStart: false });
    fill("default", 300);
    fill("unknown", 300);
    tasks.start();
    await settle(600);
    expect(countByQueue(started.slice(0, 400))).toEqual({ default: 300, unknown: 100 });
  });

  test("a name that is forgotten after each of its tasks gains nothing by it", async () => {
    const { tasks, started, settle } = createShared({ default: 3 });
    let waiting = 0;
    const enqueueFleeting = () => {
      waiting++;
      tasks.enqueue(
        () => {
          waiting--;
          started.push("fleeting");
        },
        { queue: "fleeting" },
      );
    };
    await tasks.pause();
    for (let index = 0; index < 600; index++) {
      tasks.enqueue(() => {
        started.push("default");
        if (waiting === 0) enqueueFleeting();
      });
    }
    tasks.resume();
    await settle(800);
    expect(countByQueue(started.slice(0, 400))).toEqual({ default: 300, fleeting: 100 });
  });
});

describe("strictQueues", () => {
  test("drains queues of a higher share first", async () => {
    const shares = { low: 1, critical: 6, default: 3 };
    const { tasks, started, fill, settle } = createShared(shares, { strictQueues: true, autoStart: false });
    for (const queue of ["low", "default", "critical"]) fill(queue, 3);
    tasks.start();
    await settle(9);
    expect(started.join(" ")).toBe("critical critical critical default default default low low low");
  });

  test("lets a higher share in front at once, and takes turns among equal shares", async () => {
    const shares = { one: 2, other: 2, low: 1 };
    const { clock, tasks, started, fill } = createShared(shares, { strictQueues: true });
    tasks.enqueue(
      () => {
        started.push("low");
        fill("one", 2);
        fill("other", 2);
      },
      { queue: "low" },
    );
    fill("low", 2);
    await clock.settle();
    expect(started.join(" ")).toBe("low one other one other low low");
  });

  test("a paused queue does not hold up those below it", async () => {
    const { clock, tasks, started, fill } = createShared({ high: 2, low: 1 }, { strictQueues: true });
    await tasks.pause({ queue: "high" });
    fill("high", 1);
    fill("low", 1);
    await clock.settle();
    expect(started).toEqual(["low"]);
    tasks.resume({ queue: "high" });
    await clock.settle();
    expect(started).toEqual(["low", "high"]);
  });
});

describe("maxConcurrency of a queue", () => {
  test("bounds how many of its tasks run, and the slots go to other queues", async () => {
    const queues = { narrow: { maxConcurrency: 2, share: 9 }, wide: {} };
    const { clock, tasks } = createManager({ concurrency: 5, queues });
    const running: Record<string, number> = { narrow: 0, wide: 0 };
    const enqueue = (queue: string) =>
      tasks.enqueue(
        async () => {
          running[queue] = (running[queue] ?? 0) + 1;
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
          running[queue] = (running[queue] ?? 0) - 1;
        },
        { queue },
      );
    for (let index = 0; index < 20; index++) enqueue("narrow");
    await clock.settle();
    expect(running).toEqual({ narrow: 2, wide: 0 });
    for (let index = 0; index < 20; index++) enqueue("wide");
    // Four in the queue with the smaller share would mean that a slot of the other one was not used.
    for (let round = 0; round < 6; round++) {
      await clock.settle();
      expect(running).toEqual({ narrow: 2, wide: 3 });
      await clock.advance(10);
    }
    await clock.advance(200);
    expect(tasks.stats().total.completed).toBe(40);
  });
});

describe("Q8: queues that were used once", () => {
  const NAMES = 10_000;

  async function useOnce(tasks: TaskManager, prefix: string): Promise<void> {
    const results = Array.from({ length: NAMES }, (_, index) =>
      tasks.execute(() => index, { queue: `${prefix}-${index}` }),
    );
    await Promise.all(results);
  }

  test("leave no trace in the statistics", async () => {
    const { tasks } = createManager({ retention: { maxEntries: 0 }, queues: { email: {} } });
    await useOnce(tasks, "once");
    expect(Object.keys(tasks.stats().queues)).toEqual(["email", "default"]);
  });

  test("are forgotten too when their tasks were cancelled, failed, or paused and resumed", async () => {
    const { clock, tasks } = createManager();
    for (let index = 0; index < 100; index++) {
      const queue = `gone-${index}`;
      if (index % 4 === 3) await tasks.pause({ queue });
      const handle = tasks.enqueue(
        () => {
          if (index % 4 === 1) throw new Error("no");
        },
        { queue, delayMs: index % 4 === 2 ? 10 : 0 },
      );
      if (index % 4 === 0) handle.cancel();
      if (index % 4 === 3) tasks.resume({ queue });
    }
    await clock.advance(10);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });

  test("are forgotten while others stay full", async () => {
    const { tasks, fill, settle } = createShared({ default: 1 });
    await tasks.pause();
    fill("default", 600);
    for (let index = 0; index < 500; index++) fill(`once-${index}`, 1);
    tasks.resume();
    await settle(512);
    await settle(600);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });

  test("are forgotten while tasks of another wait for a resume or for permits", async () => {
    const queues = { limited: { rateLimit: { tasksPerSecond: 0.001 } } };
    const { clock, tasks } = createManager({ queues });
    await tasks.pause({ queue: "paused" });
    tasks.enqueue(() => undefined, { queue: "paused" });
    for (let index = 0; index < 2; index++) tasks.enqueue(() => undefined, { queue: "limited" });
    await clock.settle();
    for (let index = 0; index < 100; index++) await tasks.execute(() => index, { queue: `once-${index}` });
    await clock.settle();
    expect(tasks.stats().queued).toBe(2);
    expect(Object.keys(tasks.stats().queues)).toEqual(["limited", "default", "paused"]);
  });

  test("give their memory back, and cost no more when many were used before", async () => {
    const { tasks } = createManager({ retention: { maxEntries: 0 } });
    const heap: number[] = [];
    const cpu: number[] = [];
    for (const prefix of ["warm-up", "first", "second", "third"]) {
      const from = process.cpuUsage();
      await useOnce(tasks, prefix);
      const { user, system } = process.cpuUsage(from);
      cpu.push(user + system);
      await collectGarbage();
      heap.push(process.memoryUsage().heapUsed);
    }
    // A queue that stayed would cost at least 500 bytes: 20,000 of them, 10 MB.
    expect((heap[3] ?? 0) - (heap[1] ?? 0)).toBeLessThan(4_000_000);
    // A scan over the queues that were used before would make the last round cost a hundredfold.
    expect(cpu[3]).toBeLessThan((cpu[1] ?? 0) * 5);
  });
});
