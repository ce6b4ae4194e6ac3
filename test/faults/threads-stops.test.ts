import { expect, test } from "vitest";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { crowding } from "../support/crowding.js";
import { nextTurn, ThreadLoad } from "../support/thread-load.js";
import { untilAllExited, untilHolds } from "../support/threads.js";

const SEED = Number(process.env["MILLRACE_THREADS_SEED"] ?? Math.floor(Math.random() * 1e9));
const STOPS = 20;
const DEADLINE_MS = 150;

test(`X9, I9: a stop in the middle of dying threads is in time, and all settles (seed ${SEED})`, {
  timeout: 60_000 * crowding(),
}, async () => {
  const random = seededRandom(SEED);
  for (let count = 0; count < STOPS; count++) {
    const load = new ThreadLoad({ seed: SEED + count, tasks: 300, deaths: 60 });
    for (let index = 0; index < 300; index++) load.enqueue(index);
    const turns = Math.floor(random.next() ** 3 * 2_000);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    const begunAt = performance.now();
    const graceful = random.next() < 0.5;
    const report = await (graceful
      ? load.tasks.stopGraceful({ deadlineMs: DEADLINE_MS })
      : load.tasks.stopNow());
    const tookMs = performance.now() - begunAt;
    expect(tookMs).toBeLessThan((DEADLINE_MS + 250) * crowding());
    await untilHolds(() => load.unsettled.length === 0);
    expect(load.wrapped).toBe(0);
    const ended =
      report.completed + report.failed + report.cancelled + report.abandoned + report.neverStarted;
    expect(ended).toBe(report.alive);
    await untilAllExited(load.tasks);
    const { lanes, queued, running, scheduled, total } = load.tasks.stats();
    expect({ queued, running, scheduled }).toEqual({ queued: 0, running: 0, scheduled: 0 });
    expect(lanes.threads).toMatchObject({ running: 0 });
    expect(total.completed + total.failed + total.cancelled).toBe(total.enqueued);
    expect(load.outcomes.filter((outcome) => outcome?.includes(","))).toEqual([]); // each settled once
  }
});
