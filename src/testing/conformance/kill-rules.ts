import assert from "node:assert/strict";
import type { ExecutorRule } from "./executor-rule.js";
import type { Trial } from "./trial.js";
import { toValue } from "./trial.js";

/** How long handlers go on that pay no heed: where they are killed, far longer than that takes. */
const GOING_ON_MS = 500;
const GOING_ON_HERE_MS = 100;
const LINGER_MS = 100;

async function killed(trial: Trial, handler = "goOn", given?: unknown) {
  const payload = given ?? goingOnMs(trial);
  const attempt = await trial.begin(handler, payload);
  attempt.abort(new Error("it should end"));
  assert.equal(attempt.outcomes.length, 0, "it was to go on");
  return { attempt, isOver: trial.executor.kill(attempt) };
}

function goingOnMs({ subject }: Trial): number {
  return subject.kills ? GOING_ON_MS : GOING_ON_HERE_MS;
}

/** When the handler would have ended by itself. */
async function afterwards(trial: Trial): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, goingOnMs(trial) + LINGER_MS));
}

function endsEven(way: string): ExecutorRule {
  return {
    name: `kills an attempt even where its handler ${way}`,
    of: "kills",
    async check(trial) {
      const { attempt, isOver } = await killed(trial, "goAway", way);
      assert.deepEqual([isOver, attempt.outcome?.returned], [true, false]);
      await trial.worksOn();
    },
  };
}

/** What force does. */
export const KILL_RULES: readonly ExecutorRule[] = [
  {
    name: "says of a killed attempt that it is over where it has ended, and only there",
    async check(trial) {
      const { attempt, isOver } = await killed(trial);
      assert.equal(attempt.outcomes.length, isOver ? 1 : 0);
      assert.equal(isOver, trial.subject.kills);
    },
  },
  {
    name: "fails a killed attempt with an Error, and does not end it again with what its handler gives",
    of: "kills",
    async check(trial) {
      const { attempt } = await killed(trial);
      await afterwards(trial);
      assert.equal(attempt.outcomes.length + attempt.handedBack, 1);
      const { outcome } = attempt;
      assert(outcome?.returned === false && outcome.thrown instanceof Error, "it was to fail with an Error");
    },
  },
  {
    name: "runs other attempts in the slot of a killed one",
    of: "kills",
    async check(trial) {
      await killed(trial);
      await trial.worksOn();
    },
  },
  endsEven("spins for ever"),
  endsEven("waits for ever"),
  {
    name: "kills one attempt alone, and not the one beside it",
    of: "kills",
    slots: 2,
    async check(trial) {
      const beside = await trial.begin("awaitAbort", LINGER_MS);
      await killed(trial);
      assert.equal(toValue(await trial.end(beside)), "not aborted");
      await trial.worksOn(2);
    },
  },
  {
    name: "lets an attempt that it cannot kill go on, and ends it once, when its handler has ended",
    of: "cannot kill",
    slots: 2,
    async check(trial) {
      const { attempt } = await killed(trial);
      assert.equal(await trial.value("giveBack", 1), 1);
      assert.equal(toValue(await trial.end(attempt)), "gone on");
      await afterwards(trial);
      assert.equal(attempt.outcomes.length, 1);
    },
  },
];
