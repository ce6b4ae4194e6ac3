import { expect, test } from "vitest";
import { crowding } from "../support/crowding.js";
import { heapInUse, readProcess, ThreadLoad } from "../support/thread-load.js";

const TASKS = Number(process.env["MILLRACE_THREADS_TASKS"] ?? 50_000);
const DEATHS = TASKS / 10;
/** What the engine's own caches, and those of the runner, move the base by. A leak of 2 KB a death shows. */
const MOST_HEAP_MB = 8;
const SEED = Number(process.env["MILLRACE_THREADS_SEED"] ?? Math.floor(Math.random() * 1e9));

test(`P16: ${DEATHS} threads die while ${TASKS} tasks flow (seed ${SEED})`, {
  timeout: 60_000 + TASKS * 40 * crowding(),
}, async () => {
  const first = new ThreadLoad({ seed: SEED, tasks: 500, deaths: 20 });
  await first.run();
  await first.stop();
  const before = readProcess();
  const heap = await heapInUse();
  const rss = process.memoryUsage.rss();
  let deaths = 0;
  // In rounds, so that what the test itself remembers of each task does not count as a leak.
  for (let round = 0; round < 10; round++) {
    const load = new ThreadLoad({ seed: SEED + round, tasks: TASKS / 10, deaths: DEATHS / 10 });
    await load.run();
    load.expectSound();
    deaths += load.deaths;
    await load.stop();
    const heapMb = ((await heapInUse()) - heap) / 1e6;
    const rssMb = (process.memoryUsage.rss() - rss) / 1e6;
    console.log(`${deaths} deaths: heap +${heapMb.toFixed(1)} MB, rss +${rssMb.toFixed(1)} MB`);
    expect(heapMb).toBeLessThan(MOST_HEAP_MB);
  }
  expect(deaths).toBeGreaterThan(DEATHS * 0.8);
  expect(readProcess()).toEqual(before);
});
