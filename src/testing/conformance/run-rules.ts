import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { ExecutorRule } from "./executor-rule.js";
import { thrownThings } from "./thrown-things.js";
import type { Trial } from "./trial.js";
import { toValue } from "./trial.js";
import type { TrialAttempt } from "./trial-attempt.js";

/** So many attempts, each of which is run from within the end of the one before it. */
const CHAIN = 20;

/** So many turns of the event loop, at most, until what was closed is gone. */
const CLOSING_TURNS = 10;

async function runsFromWithin(trial: Trial): Promise<void> {
  const attempts: TrialAttempt[] = [];
  const next = () => {
    if (attempts.length === CHAIN) return;
    const attempt = trial.prepare("giveBack", attempts.length, { onEnd: next });
    attempts.push(attempt);
    trial.executor.run(attempt);
  };
  next();
  await trial.until(
    () => attempts.length === CHAIN && attempts.every(({ isOver }) => isOver),
    "all have ended",
  );
  assert.deepEqual(
    attempts.map(({ outcome }) => outcome && toValue(outcome)),
    attempts.map((_, index) => index),
  );
}

async function neverThrows(trial: Trial): Promise<void> {
  const given: readonly (readonly [string, unknown?])[] = [
    ...Object.keys(thrownThings).map((thing) => ["throwThing", thing] as const),
    ["giveThenable", "hides"],
    ["giveFunction"],
    ...(trial.subject.elsewhere ? [["nothingByThisName"] as const, ["giveBack", () => {}] as const] : []),
  ];
  for (const [handler, payload] of given) {
    const attempt = trial.prepare(handler, payload);
    assert.doesNotThrow(() => trial.executor.run(attempt));
    await trial.end(attempt);
  }
}

async function closesWhileBusy(trial: Trial, look: (attempt: TrialAttempt) => Promise<void>): Promise<void> {
  assert.equal(await trial.value("giveBack", 1), 1);
  const attempt = await trial.begin("tick", 60_000);
  await trial.close();
  await look(attempt);
}

/** What keeps the process alive, by its kind. */
function keepers(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

async function leavesNothing(trial: Trial): Promise<void> {
  // Made anew, since the one of the trial may hold something already.
  await trial.close();
  await trial.linger();
  const before = keepers();
  const executor = trial.subject.create(2);
  executor.pool?.connect(trial.host);
  executor.pool?.open();
  const attempts = [trial.prepare("giveBack", 1), trial.prepare("giveBackLater", 2)];
  for (const attempt of attempts) executor.run(attempt);
  for (const attempt of attempts) await trial.end(attempt);
  await trial.settled(executor.close(), "close() has resolved");
  const left = () =>
    [...keepers()].filter(([kind, count]) => kind !== "Immediate" && count > (before.get(kind) ?? 0));
  // What is closed is gone after another turn or two.
  for (let turns = 0; turns < CLOSING_TURNS && left().length > 0; turns++) await turn();
  assert.deepEqual(left(), []);
}

/** How attempts are started, and how all comes to its end. */
export const RUN_RULES: readonly ExecutorRule[] = [
  { name: "never throws out of `run`", check: neverThrows },
  { name: "may be given an attempt from within the end of another", check: runsFromWithin },
  {
    name: "runs as many attempts at once as it has room for",
    slots: 3,
    async check(trial) {
      const attempts = [1, 2, 3].map(() => trial.run("awaitAbort", 60_000));
      await trial.until(() => attempts.every(({ reports }) => reports.length > 0), "all three have begun");
      for (const attempt of attempts) attempt.abort(new Error("enough"));
      for (const attempt of attempts) await trial.end(attempt);
    },
  },
  { name: "resolves its close where nothing was ever run", check: (trial) => trial.close() },
  { name: "leaves nothing after its close that keeps the process alive", check: leavesNothing },
  {
    name: "ends what it cuts off when it closes, and its handler does not go on",
    of: "elsewhere",
    check: (trial) =>
      closesWhileBusy(trial, async (attempt) => {
        await trial.end(attempt);
        const { length } = attempt.reports;
        await new Promise((resolve) => setTimeout(resolve, 250)); // longer than progress is held back
        assert.equal(attempt.reports.length, length);
      }),
  },
  {
    name: "begins nothing after its close, and does not leave it open",
    of: "elsewhere",
    check: (trial) =>
      closesWhileBusy(trial, async () => {
        const late = trial.prepare("tick", 100);
        assert.doesNotThrow(() => trial.executor.run(late));
        await trial.settled(late.over, "what was given after the close is over");
        assert.notEqual(late.outcome?.returned, true);
        assert.deepEqual(late.reports, []);
      }),
  },
];
