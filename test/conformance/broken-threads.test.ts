import { describe, expect, test } from "vitest";
import { executorConformance } from "../../dist/testing/index.js";
import type { Executor, PoolHost } from "../../src/ports/executor.js";
import type { Outcome } from "../../src/task/outcome.js";
import { type Breakage, BrokenExecutor } from "../support/broken-executor.js";
import { crowding } from "../support/crowding.js";
import { casesCalled, failedOneByOne } from "../support/failed-cases.js";
import { inlineSubject } from "../support/inline-subject.js";
import { threadSubject } from "../support/thread-subject.js";

/** What is broken, made anew for each executor; and how the names of the cases begin that must find it. */
type Broken = readonly [what: string, breakage: () => Breakage, found: readonly string[]];

/** Long enough for threads to come up on a busy machine; where it is crowded, longer. */
const patienceMs = () => 1_000 * Math.max(2, crowding());

const failed = (): Outcome => ({ returned: false, thrown: new Error("its thread has died") });

function tellingSlotsOnce(host: PoolHost): Partial<PoolHost> {
  let told = false;
  return {
    setSlots: (slots) => {
      if (!told) host.setSlots(slots);
      told = true;
    },
    lateFault: () => {},
  };
}

const KILLED_ONCE = "fails a killed attempt with an Error";
const KILLED_EVEN = "kills an attempt even where";
const SPARES = "fails the attempt whose handler";
const CUT_OFF = "ends what it cuts off when it closes";
const AFTER_CLOSE = "begins nothing after its close";
const SEES = "lets a handler that never pauses see";
const SEES_THROWN = "lets `throwIfAborted` throw";
const BEGUN = "knows what has begun";
const TURNS = "counts the turns";
const BEHIND = "ends what is aborted before it has begun";
const LATE_FAULT = "tells of what a finished handler had left";
const WORKERS = "tells of its workers";
const SLOTS = "tells how many slots it has";
const TRAVEL = "lets one attempt at least travel";
const WAIT = "makes no task wait";

const BROKEN: readonly Broken[] = [
  [
    "tell nothing of late faults, their slots once, and of waiting and batches what cannot be",
    () => ({
      attempt: () => ({ began: () => {} }),
      host: tellingSlotsOnce,
      pool: { batchSize: () => 0, waitMs: () => Number.POSITIVE_INFINITY },
    }),
    [SLOTS, TRAVEL, WAIT, BEGUN, LATE_FAULT],
  ],
  [
    "count no turns, and do not say when a place was left",
    () => ({
      attempt: (attempt) => ({
        placed: (pulse) => {
          if (pulse !== undefined) attempt.placed(pulse + 1);
        },
      }),
    }),
    [TURNS],
  ],
  [
    "fail what had not begun when they died, and do not tell of their end",
    () => ({
      attempt: (attempt) => ({ handBack: () => attempt.ended(failed()) }),
      host: () => ({ workerExited: () => {} }),
    }),
    [SPARES, BEHIND, WORKERS],
  ],
  [
    "are said to be killed, and are not",
    () => ({ kill: () => true }),
    [KILLED_ONCE, KILLED_EVEN, BEGUN, TURNS],
  ],
  [
    "end killed attempts again, and take for begun whatever they were given",
    () => ({
      kill: (attempt, threads) => {
        const isOver = threads.kill(attempt);
        setTimeout(() => attempt.ended(failed()), 1);
        return isOver;
      },
      pool: { hasBegun: () => true },
    }),
    [KILLED_ONCE, BEGUN],
  ],
  ["hear nothing of aborts", () => ({ attempt: () => ({ follow: () => {} }) }), [SEES, SEES_THROWN]],
];

const onEventLoop = new Set(executorConformance(inlineSubject()).map(({ name }) => name));

/** The cases that only threads are asked; the others are tried on the event loop. */
function cases(wrap: (threads: Executor) => Executor) {
  const subject = { ...threadSubject(wrap), patienceMs: patienceMs() };
  return executorConformance(subject).filter(({ name }) => !onEventLoop.has(name));
}

describe("the conformance suite of executors, given threads that", () => {
  test.each(BROKEN)(
    "%s, fails the cases that are about that, and no other",
    async (_, breakage, found) => {
      const all = cases((threads) => new BrokenExecutor(threads, breakage()));
      expect(await failedOneByOne(all)).toEqual(casesCalled(all, found));
    },
    240_000,
  );

  test("go on when they are closed, fails the cases that are about that, and no other", async () => {
    const made: Executor[] = [];
    const all = cases((threads) => {
      made.push(threads);
      return new BrokenExecutor(threads, { close: async () => {} });
    }).filter(({ name }) => /close|its workers|slot/.test(name));
    const names = await failedOneByOne(all);
    await Promise.all(made.map((threads) => threads.close()));
    expect(names).toEqual(casesCalled(all, [CUT_OFF, AFTER_CLOSE, WORKERS]));
  }, 240_000);
});
