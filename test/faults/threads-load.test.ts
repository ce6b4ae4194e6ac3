import { expect, test } from "vitest";
import { crowding } from "../support/crowding.js";
import { heapInUse, readProcess, ThreadLoad } from "../support/thread-load.js";
import { untilHolds } from "../support/threads.js";

const TASKS = 2_000;
const DEATHS = 100;
const SEED = Number(process.env["MILLRACE_THREADS_SEED"] ?? Math.floor(Math.random() * 1e9));

test(`P16: threads die in all ways while tasks flow, and no task notices but those that kill (seed ${SEED})`, {
  timeout: 60_000 * crowding(),
}, async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on("warning", warn);
  const before = readProcess();
  const load = new ThreadLoad({ seed: SEED, tasks: TASKS, deaths: DEATHS });
  await load.run();
  load.expectSound();
  expect(load.deaths).toBeGreaterThan(DEATHS * 0.6);
  expect(load.tasks.stats().total.handedBack).toBeGreaterThan(0);
  await load.stop();
  expect(load.tasks.stats().threads.alive).toBe(0);
  await untilHolds(() => readProcess().ports <= before.ports); // a port closes a turn after its thread
  expect(readProcess()).toEqual(before);
  expect(warnings).toEqual([]);
  process.off("warning", warn);
});

test("P16: the heap is as before when the threads that died are forgotten", {
  timeout: 60_000 * crowding(),
}, async () => {
  const once = async (seed: number) => {
    const load = new ThreadLoad({ seed, tasks: 500, deaths: 20 });
    await load.run();
    await load.stop();
  };
  await once(1); // what is loaded and compiled once is not what is measured
  const before = await heapInUse();
  for (let round = 0; round < 2; round++) await once(SEED + round);
  expect((await heapInUse()) - before).toBeLessThan(3_000_000);
});
