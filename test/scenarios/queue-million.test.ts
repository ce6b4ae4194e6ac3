import { availableParallelism, loadavg } from "node:os";
import { describe, expect, test } from "vitest";
import { type TaskHandle, TaskManager } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { SkippingClock } from "../support/skipping-clock.js";

const MILLION = 1_000_000;
const HOUR_MS = 3_600_000;

/** Distinct priorities in no order, so that an order by insertion, or by due time, shows. */
function scatteredPriority(index: number): number {
  return (index * 7_919) % 999_983;
}

/** How many want each core: what is measured by the clock takes as many times longer. */
function crowding(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}

/** How long each turn of the event loop took until `done`. */
function observeTurns(done: () => boolean): Promise<number[]> {
  const turns: number[] = [];
  let before = performance.now();
  return new Promise((resolve) => {
    const observe = () => {
      const now = performance.now();
      turns.push(now - before);
      before = now;
      if (done()) resolve(turns);
      else setImmediate(observe);
    };
    setImmediate(observe);
  });
}

describe("Q9: a million tasks with the same runAt", () => {
  test("all run when it comes, by priority, in portions that leave the event loop free", async () => {
    const clock = new SkippingClock();
    const tasks = new TaskManager({
      ...{ clock, capacity: MILLION, concurrency: 1, retention: { maxEntries: 0 } },
    });
    let ran = 0;
    let outOfOrder = 0;
    let last = -1;
    const runAt = clock.wallNow() + HOUR_MS;
    for (let index = 0; index < MILLION; index++) {
      const priority = scatteredPriority(index);
      const work = () => {
        ran++;
        if (priority < last) outOfOrder++;
        last = priority;
      };
      tasks.enqueue(work, { priority, runAt });
    }
    expect(tasks.stats()).toMatchObject({ scheduled: MILLION, queued: 0 });

    let largestPortion = 0;
    let mostStarts = 0;
    clock.aroundCallback = (call) => {
      const before = tasks.stats();
      call();
      const after = tasks.stats();
      largestPortion = Math.max(largestPortion, before.scheduled - after.scheduled);
      mostStarts = Math.max(mostStarts, after.total.started - before.total.started);
    };
    clock.skip(HOUR_MS);
    const turns = await observeTurns(() => ran === MILLION);
    await tasks.stopNow();

    expect(outOfOrder).toBe(0);
    expect(tasks.stats().total).toMatchObject({ completed: MILLION, failed: 0, cancelled: 0 });
    // The work of one callback is bounded, whatever the machine: some 2 ms of it.
    expect(largestPortion).toBeLessThanOrEqual(1_000);
    expect(mostStarts).toBeLessThanOrEqual(512);
    expect(turns.length).toBeGreaterThanOrEqual(MILLION / 1_000);
    // What makes a turn long beside that is a collection of garbage, or another process on the machine: rare
    // turns, that are no longer for there being more tasks. Without portions a single one would do it all, and
    // take seconds.
    const long = turns.filter((ms) => ms > 50 * crowding());
    expect(long.length).toBeLessThanOrEqual(turns.length / 20);
    expect(Math.max(...turns)).toBeLessThan(1_000 * crowding());
  }, 120_000);

  test("an urgent one among thousands that are promoted in portions does not come late", async () => {
    const clock = new SkippingClock();
    const tasks = new TaskManager({ clock, capacity: 10_000, concurrency: 1 });
    const started: number[] = [];
    const runAt = clock.wallNow() + HOUR_MS;
    for (let index = 0; index < 5_000; index++) {
      tasks.enqueue(() => started.push(5_000 - index), { priority: 5_000 - index, runAt });
    }
    let largestPortion = 0;
    clock.aroundCallback = (call) => {
      const { scheduled } = tasks.stats();
      call();
      largestPortion = Math.max(largestPortion, scheduled - tasks.stats().scheduled);
    };
    clock.skip(HOUR_MS);
    await tasks.drain();
    expect(started).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1));
    expect(largestPortion).toBe(1_000);
    await tasks.stopNow();
  });
});

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

function measure(work: () => void): Cost {
  const cpu = process.cpuUsage();
  const before = performance.now();
  work();
  const ms = performance.now() - before;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1_000 };
}

/** Time is longer for what else the machine does, processor time for the threads that collect garbage. */
function least({ ms, cpuMs }: Cost): number {
  return Math.min(ms, cpuMs);
}

/** Enqueues so many, cancels them in random order, and says what that cost. */
async function cancelInRandomOrder(count: number): Promise<Cost> {
  const random = seededRandom(count);
  const clock = new ManualClock();
  const tasks = new TaskManager({ clock, capacity: count, retention: { maxEntries: 0 } });
  let ran = 0;
  const work = () => {
    ran++;
  };
  await tasks.pause();
  const handles: TaskHandle[] = [];
  for (let index = 0; index < count; index++) {
    handles.push(tasks.enqueue(work, { priority: scatteredPriority(index) }));
  }
  for (let index = count - 1; index > 0; index--) {
    const other = Math.floor(random.next() * (index + 1));
    [handles[index], handles[other]] = [handles[other] as TaskHandle, handles[index] as TaskHandle];
  }
  let decided = 0;
  const cost = measure(() => {
    for (let handle = handles.pop(); handle !== undefined; handle = handles.pop()) {
      if (handle.cancel()) decided++;
    }
  });
  tasks.resume();
  await clock.settle();
  expect([decided, ran]).toEqual([count, 0]);
  expect(tasks.stats()).toMatchObject({ queued: 0, running: 0, total: { started: 0, cancelled: count } });
  expect(await tasks.stopNow()).toMatchObject({ alive: 0 });
  return cost;
}

describe("Q10: cancelling a million queued tasks in random order", () => {
  test("takes O(log n) for each, less than 5 s in all, and none of them runs", async () => {
    await cancelInRandomOrder(20_000);
    const few = await cancelInRandomOrder(20_000);
    const many = await cancelInRandomOrder(MILLION);
    expect(least(many)).toBeLessThan(5_000 * crowding());
    // Of fifty times as many, each costs 1.4 times as many steps, and more for memory that is out of the cache.
    // A search through all that wait would make it 50 times.
    const growth = least(many) / MILLION / (least(few) / 20_000);
    expect(growth).toBeLessThan(15);
  }, 120_000);
});
