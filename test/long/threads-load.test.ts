import { expect, test } from "vitest";
import { crowding } from "../support/crowding.js";
import { heapInUse, type LoadSize, readProcess, ThreadLoad } from "../support/thread-load.js";
import { untilHolds } from "../support/threads.js";

const TASKS = Number(process.env["MILLRACE_THREADS_TASKS"] ?? 50_000);
const DEATHS = TASKS / 10;
const SEED = Number(process.env["MILLRACE_THREADS_SEED"] ?? Math.floor(Math.random() * 1e9));
const ROUNDS = 10;
/** What the engine's own caches, and those of the runner, move the base by. A leak of 2 KB a death shows. */
const MOST_HEAP_MB = 8;

/** What the test itself remembers of each task goes with the round, and does not count as a leak. */
async function runRound(size: LoadSize): Promise<number> {
  const load = new ThreadLoad(size);
  await load.run();
  load.expectSound();
  await load.stop();
  return load.deaths;
}

test(`P16: ${DEATHS} threads die while ${TASKS} tasks flow (seed ${SEED})`, {
  timeout: 60_000 + TASKS * 40 * crowding(),
}, async () => {
  const before = readProcess();
  await runRound({ seed: SEED, tasks: 500, deaths: 20 });
  const heap = await heapInUse();
  const rss = process.memoryUsage.rss();
  let deaths = 0;
  for (let round = 0; round < ROUNDS; round++) {
    deaths += await runRound({ seed: SEED + round, tasks: TASKS / ROUNDS, deaths: DEATHS / ROUNDS });
    const heapMb = ((await heapInUse()) - heap) / 1e6;
    const rssMb = (process.memoryUsage.rss() - rss) / 1e6;
    console.log(`${deaths} deaths: heap +${heapMb.toFixed(1)} MB, rss +${rssMb.toFixed(1)} MB`);
    expect(heapMb).toBeLessThan(MOST_HEAP_MB);
  }
  expect(deaths).toBeGreaterThan(DEATHS * 0.8);
  await untilHolds(() => readProcess().ports <= before.ports); // a port closes a turn after its thread
  expect(readProcess()).toEqual(before);
});
