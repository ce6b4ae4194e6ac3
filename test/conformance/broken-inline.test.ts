import { describe, expect, test } from "vitest";
import { InlineExecutor } from "../../src/adapters/inline/inline-executor.js";
import type { RunnableAttempt } from "../../src/ports/executor.js";
import type { Outcome } from "../../src/task/outcome.js";
import type { TaskContext } from "../../src/task/task-context.js";
import { executorConformance } from "../../src/testing/index.js";
import { type Breakage, BrokenExecutor, except } from "../support/broken-executor.js";
import { crowding } from "../support/crowding.js";
import { casesCalled, failedCases } from "../support/failed-cases.js";
import { inlineSubject } from "../support/inline-subject.js";

/** What is broken, made anew for each executor; and how the names of the cases begin that must find it. */
type Broken = readonly [what: string, breakage: () => Breakage, found: readonly string[]];

/** Of what comes at once; on a crowded machine, at once is later. */
const PATIENCE_MS = 250 * crowding();

const cases = (breakage: () => Breakage) =>
  executorConformance({
    ...inlineSubject(() => new BrokenExecutor(new InlineExecutor(), breakage())),
    patienceMs: PATIENCE_MS,
  });

const endsAs = (exchange: (outcome: Outcome) => Outcome) => (): Breakage => ({
  attempt: (attempt) => ({ ended: (outcome) => attempt.ended(exchange(outcome)) }),
});

/** Beside what the context says otherwise, it is as it was. */
const tells = (exchange: (context: TaskContext) => object) => (): Breakage => ({
  attempt: ({ context }) => ({
    context: Object.create(context, Object.getOwnPropertyDescriptors(exchange(context))),
  }),
});

const withoutReason = tells(({ signal }) => {
  const own = new AbortController();
  if (signal.aborted) own.abort();
  signal.addEventListener("abort", () => own.abort());
  return { signal: own.signal };
});

function endingThose(isTold: (outcome: Outcome) => boolean): () => Breakage {
  return () => ({
    attempt: (attempt) => ({
      ended: (outcome) => {
        if (isTold(outcome)) attempt.ended(outcome);
      },
    }),
  });
}

function endingAgainAtClose(): Breakage {
  const attempts: RunnableAttempt[] = [];
  return {
    run: (attempt, sound) => {
      attempts.push(attempt);
      sound.run(attempt);
    },
    close: async () => {
      for (const attempt of attempts) attempt.ended({ returned: true, value: undefined });
    },
  };
}

function oneAtATime(): Breakage {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (attempt, sound) => {
      const before = last;
      last = new Promise((resolve) => {
        const ended: RunnableAttempt["ended"] = (outcome) => {
          resolve(undefined);
          attempt.ended(outcome);
        };
        void before.then(() => sound.run(except(attempt, { ended })));
      });
    },
  };
}

function deafWithin(): Breakage {
  let within = false;
  return {
    attempt: (attempt) => ({
      ended: (outcome) => {
        within = true;
        attempt.ended(outcome);
        within = false;
      },
    }),
    run: (attempt, sound) => {
      if (!within) sound.run(attempt);
    },
  };
}

const THROWN = "tells that a handler threw";
const STEERED = "brings out what a handler steers by";
const ITSELF = "gives what was returned and thrown itself";
const ONCE = "ends an attempt once";
const NOT_KILLED = "lets an attempt that it cannot kill go on";
const KILLED = "says of a killed attempt that it is over";
const REFUSED = "tells a handler what its enqueue was refused with";
const NEVER_THROWS = "never throws out of `run`";
const REASON = "aborts a handler's signal with the reason";
const FIRST_REASON = "keeps the first reason";
const BEFORE = "ends an attempt that was aborted before it was run";
const AT_ONCE = "runs as many attempts at once";
const STOP = "tells a handler of a stop";
const ALONE = "aborts one attempt alone";
const UNUSED = "resolves its close where nothing was ever run";
const LEFT = "leaves nothing after its close";

const BROKEN: readonly Broken[] = [
  [
    "ends each attempt twice",
    () => ({
      attempt: (attempt) => ({
        ended: (outcome) => {
          attempt.ended(outcome);
          attempt.ended(outcome);
        },
      }),
    }),
    [ONCE, NOT_KILLED],
  ],
  ["ends attempts again at its close", endingAgainAtClose, [ONCE]],
  [
    "never ends one whose handler threw nothing",
    endingThose((outcome) => outcome.returned || (outcome.thrown ?? undefined) !== undefined),
    [ONCE, `${THROWN} null`, `${THROWN} undefined`, NEVER_THROWS],
  ],
  [
    "takes what was thrown for a return of nothing",
    endsAs((outcome) => (outcome.returned ? outcome : { returned: true, value: undefined })),
    [THROWN, STEERED, ITSELF, "waits for what has a `then`", REFUSED],
  ],
  [
    "keeps nothing of an Error but its message",
    endsAs((outcome) => {
      const thrown = outcome.returned ? undefined : outcome.thrown;
      return isError(thrown) ? { returned: false, thrown: new Error(`${readMessage(thrown)}`) } : outcome;
    }),
    [
      ...["an Error with a code", "an error of Millrace", "a frozen Error", "a DOMException"].map(
        (thing) => `${THROWN} ${thing}`,
      ),
      ...["an AggregateError", "an Error that is its own cause"].map((thing) => `${THROWN} ${thing}`),
      ...[STEERED, ITSELF, REFUSED],
    ],
  ],
  [
    "copies what is returned",
    endsAs((outcome) =>
      outcome.returned && typeof outcome.value === "object"
        ? { returned: true, value: copyOf(outcome.value) }
        : outcome,
    ),
    [ITSELF],
  ],
  [
    "throws what a handler threw out of `run` too",
    () => ({
      run: (attempt, sound) => {
        const thrown: unknown[] = [];
        const ended: RunnableAttempt["ended"] = (outcome) => {
          if (!outcome.returned) thrown.push(outcome.thrown);
          attempt.ended(outcome);
        };
        sound.run(except(attempt, { ended }));
        for (const one of thrown) throw one;
      },
    }),
    [NEVER_THROWS],
  ],
  ["says that it has killed, and has not", () => ({ kill: () => true }), [KILLED]],
  [
    "ends what it cannot kill",
    () => ({
      kill: (attempt) => {
        attempt.ended({ returned: false, thrown: new Error("killed") });
        return false;
      },
    }),
    [KILLED, NOT_KILLED],
  ],
  [
    "throws at who reports what cannot be copied",
    tells(({ progress }) => ({ progress: (value: unknown) => progress(structuredClone(value)) })),
    ["bears progress that cannot be copied"],
  ],
  [
    "brings no progress out",
    tells(() => ({ progress: () => {} })),
    ["brings progress out", REASON, FIRST_REASON, ALONE, STOP, AT_ONCE, KILLED, NOT_KILLED],
  ],
  [
    "refuses to enqueue with an error of its own",
    tells(({ enqueue }) => ({
      enqueue: (...given: [string, unknown, object]) =>
        enqueue(...given).catch(() => {
          throw new Error("refused");
        }),
    })),
    [REFUSED],
  ],
  [
    "loses the options of what is enqueued",
    tells(({ enqueue }) => ({
      enqueue: (handler: string, payload: unknown) => enqueue(handler, payload),
    })),
    ["lets a handler enqueue"],
  ],
  ["loses the reason of an abort", withoutReason, [REASON, FIRST_REASON, BEFORE]],
  ["says nothing of a stop", tells(() => ({ stopping: new AbortController().signal })), [STOP]],
  ["gives locals of its own", tells(() => ({ locals: {} })), ["gives a handler a context"]],
  ["runs one attempt at a time", oneAtATime, [ALONE, AT_ONCE]],
  ["does not hear who calls from within an end", deafWithin, ["may be given an attempt from within"]],
  [
    "tells run times in another unit",
    () => ({ attempt: (attempt) => ({ ended: (outcome) => attempt.ended(outcome, 20_000) }) }),
    ["tells no run time"],
  ],
  ["never closes", () => ({ close: () => new Promise(() => {}) }), [ONCE, UNUSED, LEFT]],
];

function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

function readMessage(error: Error): string {
  try {
    return error.message;
  } catch {
    return "unreadable";
  }
}

function copyOf(value: object | null): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

describe("the conformance suite of executors, given one on the event loop that", () => {
  test.each(BROKEN)("%s, fails the cases that are about that, and no other", async (_, breakage, found) => {
    const all = cases(breakage);
    expect(await failedCases(all)).toEqual(casesCalled(all, found));
  });

  test("never ends an attempt, fails all but the cases that wait for no end", async () => {
    const all = cases(endingThose(() => false));
    const failed = await failedCases(all);
    expect(all.map(({ name }) => name).filter((name) => !failed.includes(name))).toEqual(
      casesCalled(all, [UNUSED, KILLED]),
    );
  });

  test("leaves a timer behind, fails the case that is about that, and no other", async () => {
    const timers: NodeJS.Timeout[] = [];
    const close = async () => {
      timers.push(setInterval(() => {}, 1_000_000));
    };
    const all = cases(() => ({ close }));
    const failed = await failedCases(all);
    for (const timer of timers) clearInterval(timer);
    expect(failed).toEqual(casesCalled(all, [LEFT]));
  });

  test("is sound, fails none", async () => {
    expect(await failedCases(cases(() => ({})))).toEqual([]);
  });
});
