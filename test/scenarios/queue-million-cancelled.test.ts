import { describe, expect, test } from "vitest";
import { type TaskHandle, TaskManager } from "../../src/index.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { crowding } from "../support/crowding.js";

const MILLION = 1_000_000;
/** Most of it for enqueuing, on a machine that does other things too. */
const TIMEOUT_MS = 240_000;

/** Distinct priorities in no order, so that an order by insertion, or by due time, shows. */
function scatteredPriority(index: number): number {
  return (index * 7_919) % 999_983;
}

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
  test(
    "takes O(log n) for each, less than 5 s in all, and none of them runs",
    async () => {
      await cancelInRandomOrder(20_000);
      const few = await cancelInRandomOrder(20_000);
      const many = await cancelInRandomOrder(MILLION);
      expect(least(many)).toBeLessThan(5_000 * crowding());
      // Of fifty times as many, each costs 1.4 times as many steps, and more for memory that is out of the cache.
      // A search through all that wait would make it 50 times.
      const growth = least(many) / MILLION / (least(few) / 20_000);
      expect(growth).toBeLessThan(15);
    },
    TIMEOUT_MS,
  );
});
