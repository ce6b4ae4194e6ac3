import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { ExecutorRule } from "./executor-rule.js";
import type { Trial } from "./trial.js";
import { toValue } from "./trial.js";
import type { TrialAttempt } from "./trial-attempt.js";

const RETURNS = "returns";
/** Long enough to be looked at. */
const BUSY_MS = 200;
/** In so long, whoever counts turns has counted one. */
const SOME_TURNS_MS = 250;
const DEATHS = [
  "throws outside of its promise",
  "leaves a rejection that nobody handles",
  "calls process.exit",
];

/** Runs small attempts until they may share a slot, where they ever may. */
async function warmUp(trial: Trial): Promise<number> {
  for (let count = 0; count < 64; count++) await trial.value("goAway", RETURNS);
  return trial.pool.batchSize(trial.prepare("goAway", RETURNS).work);
}

/** An attempt that goes that way, and behind it in its slot as many others as may be: three, at most. */
async function batch(trial: Trial, way: string): Promise<readonly [TrialAttempt, readonly TrialAttempt[]]> {
  const size = Math.max(1, Math.min(4, await warmUp(trial)));
  const [first, ...others] = Array.from({ length: size }, (_, index) =>
    trial.run("goAway", index === 0 ? way : RETURNS),
  );
  return [first as TrialAttempt, others];
}

/** Each of those has returned, or was handed back before it had begun: another's death is not theirs. */
async function expectSpared(trial: Trial, others: readonly TrialAttempt[]): Promise<void> {
  for (const other of others) await trial.settled(other.over, "what was behind is over too");
  await trial.linger();
  for (const { outcomes, handedBack } of others) {
    assert.equal(outcomes.length + handedBack, 1);
    assert.equal(outcomes.map(toValue)[0] ?? "returned", "returned");
  }
}

function survives(way: string): ExecutorRule {
  return {
    name: `fails the attempt whose handler ${way}, spares those behind it, and goes on`,
    of: "pooled",
    async check(trial) {
      for (let death = 0; death < 3; death++) {
        const [dying, others] = await batch(trial, way);
        const outcome = await trial.end(dying);
        assert(!outcome.returned && outcome.thrown instanceof Error, "it was to fail with an Error");
        await expectSpared(trial, others);
        await trial.worksOn();
      }
    },
  };
}

async function tellsWhatHasBegun(trial: Trial): Promise<void> {
  const first = trial.run("goAway", "never ends");
  const begunAtOnce = trial.pool.hasBegun(first);
  await trial.until(() => first.reports.length > 0, "it has begun");
  assert.equal(trial.pool.hasBegun(first), true, "its handler runs");
  if (!begunAtOnce) assert(first.begun > 0, "it had to wait for its place, and its beginning was not told");
  trial.executor.kill(first);
  await trial.until(() => trial.host.slots === 1, "its slot is there again");
  const [held, others] = await batch(trial, "never ends");
  await trial.until(() => held.reports.length > 0, "the first one has begun");
  assert.deepEqual(
    [held, ...others].map((each) => trial.pool.hasBegun(each)),
    [true, ...others.map(() => false)],
  );
}

async function endsWhatWaits(trial: Trial): Promise<void> {
  const [held, others] = await batch(trial, "never ends");
  await trial.until(() => held.reports.length > 0, "the first one has begun");
  const [aborted, ...rest] = others;
  if (aborted === undefined) return;
  const reason = new Error("it should end");
  aborted.abort(reason);
  await trial.settled(aborted.over, "what was aborted before it had begun is over");
  if (aborted.outcome !== undefined) assert.deepEqual(aborted.outcome, { returned: false, thrown: reason });
  trial.executor.kill(held);
  await expectSpared(trial, rest);
}

/** What a pool tells of what it has. */
async function readsTrue(trial: Trial): Promise<void> {
  const { pool, host } = trial;
  await trial.value("giveBack", 1);
  const attempt = await trial.begin("goOn", BUSY_MS);
  const { alive, busy, started } = pool.read();
  assert.deepEqual({ alive, busy, started }, { alive: 1, busy: 1, started: 1 });
  await trial.end(attempt);
  await trial.until(() => pool.read().busy === 0, "nothing is busy");
  await trial.close();
  assert.equal(pool.read().alive, 0);
  assert.deepEqual([host.started.length, host.exited.length], [1, 1]);
  const [{ reason, attempts } = { reason: "none", attempts: 0 }] = host.exited;
  assert.deepEqual([reason, attempts], ["stopped", 2]);
  assert.equal(host.exited[0]?.worker, host.started[0]?.worker);
}

/** The word in which the turns are counted of what this one runs in. */
async function pulseOf(trial: Trial, handler: string, payload: unknown) {
  const attempt = await trial.begin(handler, payload, { watched: true });
  const [pulse] = attempt.places;
  const { pulses = new Int32Array() } = trial.pool;
  assert(pulse !== undefined && pulse >= 0 && pulse < pulses.length, `its place is ${pulse}`);
  return { attempt, turns: () => Atomics.load(pulses, pulse) };
}

/** Whether it stands still, looked at after whatever was under way has come to an end. */
async function standsStill(turns: () => number): Promise<boolean> {
  await delay(SOME_TURNS_MS);
  const before = turns();
  await delay(SOME_TURNS_MS);
  return turns() === before;
}

async function countsTurns(trial: Trial): Promise<void> {
  if (trial.pool.pulses === undefined) return;
  // It ends when it is told to: on a crowded machine, turns are few.
  const sound = await pulseOf(trial, "awaitAbort", 8 * SOME_TURNS_MS);
  const seen = sound.turns();
  await trial.until(() => sound.turns() !== seen, "its turns are counted");
  sound.attempt.abort(new Error("it was counted"));
  await trial.end(sound.attempt);
  assert(await standsStill(sound.turns), "nothing was to be counted while nothing runs");
  const stuck = await pulseOf(trial, "goAway", "spins for ever");
  assert(await standsStill(stuck.turns), "its turns were counted, though it makes none");
  trial.executor.kill(stuck.attempt);
  for (const { places } of [sound.attempt, stuck.attempt]) assert.equal(places.at(-1), undefined);
  const other = await trial.begin("goOn", BUSY_MS);
  await trial.end(other);
  assert.deepEqual(other.places, []); // nobody wanted to know it
}

/** Slots that come and go. */
export const POOL_RULES: readonly ExecutorRule[] = [
  {
    name: "tells how many slots it has when it is connected, and when it is resized",
    of: "pooled",
    slots: 2,
    async check({ pool, host }) {
      assert.equal(host.slots, 2);
      pool.resize({ min: 0, max: 3 });
      assert.equal(host.slots, 3);
      pool.resize({ min: 0, max: 1 });
      assert.equal(host.slots, 1);
    },
  },
  {
    name: "keeps as many workers as it was told to",
    of: "pooled",
    slots: 2,
    async check(trial) {
      trial.pool.resize({ min: 2, max: 2 });
      await trial.until(() => trial.pool.read().alive === 2, "both are there");
      await trial.until(() => trial.host.started.length === 2, "both have been told of");
    },
  },
  {
    name: "lets one attempt at least travel, however fast or slow its handler is",
    of: "pooled",
    async check(trial) {
      const sizes = [trial.pool.batchSize(trial.prepare("goAway", RETURNS).work), await warmUp(trial)];
      await trial.value("spinFor", 5);
      sizes.push(trial.pool.batchSize(trial.prepare("spinFor", 5).work));
      for (const size of sizes) assert(Number.isSafeInteger(size) && size >= 1, `it takes ${size} at a time`);
    },
  },
  {
    name: "makes no task wait for ever for one more slot",
    of: "pooled",
    async check({ pool }) {
      assert.equal(pool.waitMs(0, 0), 0);
      for (const used of [0, 1, 2]) {
        const waitMs = pool.waitMs(used, 0);
        assert(waitMs >= 0 && waitMs < Number.POSITIVE_INFINITY, `it makes one wait for ${waitMs} ms`);
        assert.equal(pool.waitMs(used, waitMs), 0);
      }
    },
  },
  {
    name: "knows what has begun, and tells when an attempt begins that had to wait",
    of: "pooled and kills",
    check: tellsWhatHasBegun,
  },
  {
    name: "counts the turns of what is watched, where it counts any, and only while that runs",
    of: "pooled and kills",
    check: countsTurns,
  },
  {
    name: "ends what is aborted before it has begun, and hands back what was behind a killed attempt",
    of: "pooled and kills",
    check: endsWhatWaits,
  },
  ...DEATHS.map(survives),
  {
    name: "tells of what a finished handler had left behind, and harms nobody for it",
    of: "pooled",
    async check(trial) {
      const attempt = trial.run("leaveFault", "well");
      assert.equal(toValue(await trial.end(attempt)), "well");
      await trial.until(() => trial.host.lateFaults.length > 0, "it was told of");
      const [{ id, handler, error } = { id: "", handler: "", error: new Error() }] = trial.host.lateFaults;
      assert.deepEqual([id, handler, error.message], [attempt.context.id, "leaveFault", "left behind"]);
      await trial.worksOn();
      assert.equal(attempt.outcomes.length, 1);
    },
  },
  {
    name: "tells of its workers what is so, of their start and of their end",
    of: "pooled",
    check: readsTrue,
  },
];
