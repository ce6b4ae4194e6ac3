import assert from "node:assert/strict";
import { isCancelTask, isRateLimited, isReschedule, isSkipRetry, ResultError } from "../../index.js";
import type { ExecutorRule } from "./executor-rule.js";
import { kept, thrownThings } from "./thrown-things.js";
import { type Trial, toThrown } from "./trial.js";

const VALUES: readonly unknown[] = [
  ...[undefined, null, 0, -0, Number.NaN, 10n, "", "text", true, [1, [2, undefined]]],
  ...[{ a: { b: null }, c: undefined }, new Date(0), new Map([["a", new Set([1])]])],
  new Uint8Array([1, 2, 3]),
];

async function endsOnce(trial: Trial): Promise<void> {
  const attempts = [
    trial.run("giveBack", 1),
    ...[trial.run("giveBackLater", 2), trial.run("throwThing", "null"), trial.run("throwThingLater", "null")],
    ...[trial.run("giveThenable", "resolves twice"), trial.run("steer", "reschedule")],
  ];
  for (const attempt of attempts) {
    await trial.end(attempt);
    attempt.abort(new Error("too late"));
    attempt.announceStop(new Error("too late"));
  }
  await trial.linger();
  await trial.close();
  await trial.linger();
  for (const { outcomes, handedBack } of attempts) assert.deepEqual([outcomes.length, handedBack], [1, 0]);
}

/** The steering itself, or what it is the cause of. */
function findSteering(thrown: unknown): Readonly<Record<string, unknown>> {
  for (let link = thrown, depth = 0; depth < 5 && link instanceof Error; link = link.cause, depth++)
    if ("steering" in link) return link as unknown as Readonly<Record<string, unknown>>;
  return assert.fail("there is no steering in what came out");
}

const STEERING = {
  reschedule: (thrown: unknown) => {
    assert(isReschedule(thrown), "it is no `reschedule` any more");
    assert.equal(findSteering(thrown)["delayMs"], 1_234);
  },
  "skip-retry": (thrown: unknown) => {
    assert(isSkipRetry(thrown), "it is no `skipRetry` any more");
    const { cause } = findSteering(thrown);
    assert(cause instanceof RangeError && cause.message === "why not again", "its cause is lost");
  },
  "cancel-task": (thrown: unknown) => {
    assert(isCancelTask(thrown), "it is no `cancelTask` any more");
    assert.equal(findSteering(thrown)["reason"], "why not at all");
  },
  "rate-limited": (thrown: unknown) => {
    assert(isRateLimited(thrown), "it is no `rateLimited` any more");
    const { retryAfterMs, scope } = findSteering(thrown);
    assert.deepEqual([retryAfterMs, scope], [4_321, "all"]);
  },
  "steering that is the cause of an Error": inside,
  "returned instead of thrown": inside,
};

function inside(thrown: unknown): void {
  assert(isSkipRetry(thrown), "it is no `skipRetry` any more");
  assert.equal(findSteering(thrown)["cause"], "inside");
}

const THROWN: readonly ExecutorRule[] = Object.entries(thrownThings).map(([thing, { check }]) => ({
  name: `tells that a handler threw ${thing}, at once or later`,
  async check(trial) {
    // What was thrown is not returned by an async function here: that would ask a proxy for its `then`.
    check(toThrown(await trial.outcome("throwThing", thing)));
    check(toThrown(await trial.outcome("throwThingLater", thing)));
  },
}));

const STEERED: readonly ExecutorRule[] = Object.entries(STEERING).map(([kind, check]) => ({
  name: `brings out what a handler steers by: ${kind}`,
  check: async (trial) => check(await trial.thrown("steer", kind)),
}));

/** What comes of a handler that returns or throws. */
export const OUTCOME_RULES: readonly ExecutorRule[] = [
  {
    name: "ends an attempt once, however its handler ends, and not again at its close",
    check: endsOnce,
    slots: 6,
  },
  {
    name: "tells what a handler returned, at once or later",
    async check(trial) {
      for (const value of VALUES) {
        assert.deepEqual(await trial.value("giveBack", value), value);
        assert.deepEqual(await trial.value("giveBackLater", value), value);
      }
    },
  },
  ...THROWN,
  ...STEERED,
  {
    name: "gives what was returned and thrown itself, and no copy",
    of: "here",
    async check(trial) {
      assert.equal(await trial.value("giveKept"), kept.value);
      assert.equal(await trial.thrown("throwKept"), kept.error);
    },
  },
  {
    name: "waits for what has a `then`, as `await` does",
    async check(trial) {
      assert.equal(await trial.value("giveThenable", "resolves twice"), "from then");
      for (const [kind, message] of [
        ["rejects", "rejected by then"],
        ["throws", "thrown by then"],
        ["hides", "hidden then"],
      ]) {
        const thrown = await trial.thrown("giveThenable", kind);
        assert.equal(thrown instanceof Error && thrown.message, message);
      }
    },
  },
  {
    name: "tells no run time, or one that is not longer than the attempt was there",
    async check(trial) {
      await trial.value("giveBack");
      const startedAt = performance.now();
      const attempt = trial.run("spinFor", 20);
      await trial.end(attempt);
      const elapsedMs = performance.now() - startedAt;
      const [runMs = 20] = attempt.runTimes;
      assert(runMs > 15 && runMs < elapsedMs + 2, `it told ${runMs} ms of ${elapsedMs} ms`);
    },
  },
  {
    name: "fails the attempt whose result cannot be copied, and that one alone",
    of: "elsewhere",
    async check(trial) {
      assert(
        (await trial.thrown("giveFunction")) instanceof ResultError,
        "it was to fail with a ResultError",
      );
      await trial.worksOn();
    },
  },
  {
    name: "fails the attempt whose payload cannot be copied, and that one alone",
    of: "elsewhere",
    slots: 3,
    async check(trial) {
      // What has been fast may travel together.
      for (let count = 0; count < 64; count++) await trial.value("giveBack", count);
      const [before, unsound, after] = [
        trial.run("giveBack", 1),
        trial.run("giveBack", () => {}),
        trial.run("giveBack", 3),
      ];
      assert.equal((await trial.end(unsound)).returned, false);
      assert.deepEqual(
        [await trial.end(before), await trial.end(after)].map(({ returned }) => returned),
        [true, true],
      );
    },
  },
  {
    name: "fails the attempts of a handler that cannot be loaded, and those alone",
    of: "elsewhere",
    async check(trial) {
      for (let count = 0; count < 2; count++) {
        const thrown = await trial.thrown("nothingByThisName");
        assert(thrown instanceof Error, "it was to fail with an Error");
      }
      await trial.worksOn();
    },
  },
  {
    name: "brings buffers that move to the handler, and fails an attempt whose buffers have moved before",
    of: "elsewhere",
    async check(trial) {
      const bytes = new Uint8Array([1, 2, 3]);
      const transfer = { objects: [bytes.buffer], moved: false };
      assert.equal(await trial.value("sumBytes", bytes, { transfer }), 6);
      assert.equal(transfer.moved, true, "the executor says that they have moved");
      const again = await trial.outcome("sumBytes", bytes, { transfer });
      assert.equal(again.returned, false);
      await trial.worksOn();
    },
  },
];
