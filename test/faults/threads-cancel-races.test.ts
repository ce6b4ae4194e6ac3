import { expect, test } from "vitest";
import type { TaskHandle } from "../../dist/index.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { crowding } from "../support/crowding.js";
import { createThreads, inThread, shareWords } from "../support/threads.js";

const SEED = Number(process.env["MILLRACE_THREADS_SEED"] ?? Math.floor(Math.random() * 1e9));
const RUNS = 6_000;

/** What became of a task, as each observer saw it. */
interface Seen {
  readonly cancelled: boolean;
  readonly state: string;
  readonly outcome: string;
  readonly begun: number;
}

/** Lets time pass by: microtasks, turns of the event loop, or a few microseconds without a pause. */
async function passTime(chance: number): Promise<void> {
  if (chance < 0.2) return;
  if (chance < 0.4) {
    for (let turn = 0; turn < chance * 20; turn++) await Promise.resolve();
  } else if (chance < 0.7) {
    for (let turn = 0; turn < (chance - 0.4) * 20; turn++)
      await new Promise((resolve) => setImmediate(resolve));
  } else {
    const until = performance.now() + (chance - 0.7);
    while (performance.now() < until);
  }
}

/** How many of each kind there must be for the races to have been races. */
function countKinds(all: readonly Seen[]) {
  return {
    completed: all.filter(({ state }) => state === "completed").length,
    spared: all.filter(({ state, begun }) => state === "cancelled" && begun === 0).length,
    interrupted: all.filter(({ state, begun }) => state === "cancelled" && begun === 1).length,
  };
}

test(`C2: a cancel races the end of its task: one of them wins, and all who look agree (seed ${SEED})`, {
  timeout: 60_000 * crowding(),
}, async () => {
  const random = seededRandom(SEED);
  const more = { quick: inThread("load.mjs", "quick"), work: inThread("load.mjs") };
  const { tasks, watch } = createThreads({ threads: { max: 2 }, killAfterMs: 5_000 }, more);
  const ledger = shareWords(RUNS * 2);
  const ends: Promise<Seen>[] = [];
  const race = async (handle: TaskHandle, index: number, chance: number): Promise<Seen> => {
    const outcome = handle.result().then(
      (value) => (value === index ? "completed" : `completed with ${value}`),
      (error: Error) => error.name,
    );
    await passTime(chance);
    const cancelled = handle.cancel();
    const { state } = { state: (await outcome) === "completed" ? "completed" : "cancelled" };
    expect(handle.state).toBe(state);
    return { cancelled, state, outcome: await outcome, begun: Atomics.load(ledger, index * 2) };
  };
  for (let index = 0; index < RUNS; index++) {
    const kind = random.next() < 0.9 ? "fine" : "heedsStill";
    const name = random.next() < 0.8 ? "quick" : "work";
    const handle = tasks.enqueue(name, { ledger, index, plan: [kind] }, { timeoutMs: 20_000 });
    ends.push(race(handle, index, random.next()));
    if (random.next() < 0.3) await passTime(random.next());
  }
  const all = await Promise.all(ends);
  const wrong = all.filter(
    ({ cancelled, outcome, begun }) =>
      outcome !== (cancelled ? "TaskCancelledError" : "completed") ||
      begun > 1 ||
      (!cancelled && begun !== 1),
  );
  expect(wrong).toEqual([]);
  await watch.until(() => watch.finished.length === RUNS);
  const states = new Map(watch.finished.map(({ id, state }) => [id, state]));
  expect(states.size).toBe(RUNS);
  const kinds = countKinds(all);
  for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(RUNS / 200);
  expect(tasks.stats().total).toMatchObject({
    ...{ completed: kinds.completed, cancelled: RUNS - kinds.completed, failed: 0, abandoned: 0 },
  });
  expect(watch.exited).toEqual([]);
});
