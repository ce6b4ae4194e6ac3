import fc from "fast-check";
import { expect, test } from "vitest";
import { exponential, TaskManager } from "../../src/index.js";
import type { TaskEvent } from "../../src/task/task-event.js";
import { ManualClock, seededRandom } from "../../src/testing/index.js";
import { Run } from "./run.js";
import { type Settings, type Step, settings, steps } from "./steps.js";

const SCRIPTS = 30;
/** Scripts are drawn with this, so that a failure comes again. */
const SEED = 4;

/** What a manager decided, in order: what happened to which task, when, and how long it is to wait. */
async function decisions(options: Settings, script: readonly Step[]): Promise<readonly string[]> {
  const run = new Run(options);
  const lines: string[] = [];
  run.tasks.core.journal.events.subscribe((event) => lines.push(`${run.now} ${toText(event)}`));
  await run.play(script);
  return lines;
}

function toText(event: TaskEvent): string {
  if (event.type === "stopping") return `stopping ${event.graceful}`;
  if (event.type === "resultDropped") return `resultDropped ${event.id} ${event.subscription}`;
  if (!("task" in event)) return event.type;
  const { id, name, state, reason, attempt, waitMs, runMs } = event.task;
  const delayMs = "delayMs" in event ? event.delayMs : undefined;
  return JSON.stringify([event.type, id, name, state, reason, attempt, waitMs, runMs, delayMs]);
}

test("M4: the same seed and the same calls give the same decisions, whatever the script", async () => {
  const scripts = fc.sample(fc.tuple(settings, steps), { numRuns: SCRIPTS, seed: SEED });
  let total = 0;
  for (const [options, script] of scripts) {
    const first = await decisions(options, script);
    expect(await decisions(options, script)).toEqual(first);
    total += first.length;
  }
  expect(total).toBeGreaterThan(SCRIPTS * 10);
});

/** Ids and starts of tasks that fail and come back after a random delay. */
async function jittered(seed: number): Promise<readonly string[]> {
  const clock = new ManualClock();
  const tasks = new TaskManager({ clock, random: seededRandom(seed), concurrency: 2 });
  const starts: string[] = [];
  for (let count = 0; count < 20; count++) {
    tasks.enqueue(
      ({ id, attempt }) => {
        starts.push(`${clock.now()} ${id} ${attempt}`);
        throw new Error("once more");
      },
      { maxAttempts: 4, backoff: exponential({ delayMs: 10 }) },
    );
  }
  await clock.advance(1_000);
  await tasks.stopNow();
  return starts;
}

test("M4: ids and jitter come from the seed and from nothing else", async () => {
  const first = await jittered(1);
  expect(first).toHaveLength(80);
  expect(await jittered(1)).toEqual(first);
  const other = await jittered(2);
  expect(other).toHaveLength(80);
  const ids = (starts: readonly string[]) => new Set(starts.map((start) => start.split(" ")[1]));
  const times = (starts: readonly string[]) => starts.map((start) => start.split(" ")[0]);
  expect([...ids(other)].some((id) => ids(first).has(id))).toBe(false);
  expect(times(other)).not.toEqual(times(first));
});
