import fc from "fast-check";

/** How an attempt ends by itself. */
export type Ending =
  | { readonly ends: "returns" | "throws" | "throws-junk" | "skips-retry" | "cancels-itself" }
  | { readonly ends: "reschedules"; readonly delayMs: number }
  | { readonly ends: "meets-limit"; readonly retryAfterMs: number; readonly scope: "handler" | "all" };

/** What a handler does in one attempt: end at once, or wait until a step ends it. */
export type Act =
  | { readonly act: "end"; readonly ending: Ending; readonly sync: boolean }
  /** `obeys`: throws when it is aborted. `watches`: listens to its signal from the start. */
  | { readonly act: "hold"; readonly obeys: boolean; readonly watches: boolean };

export type BackoffShape = "none" | "fixed" | "doubling" | "jitter" | "throws";

/** A task as data, so that a failing run can be printed and shrunk. */
export interface TaskShape {
  readonly queue: string | undefined;
  readonly priority: number;
  readonly weight: number;
  readonly delayMs: number;
  readonly cost: number;
  readonly maxAttempts: number | undefined;
  readonly backoff: BackoffShape;
  readonly timeoutMs: number | false | undefined;
  readonly ttlMs: number | undefined;
  readonly killAfterMs: number | undefined;
  readonly ownId: number | undefined;
  readonly signal: number | undefined;
  /** Attempt by attempt; after the last, handlers wait and obey. */
  readonly acts: readonly Act[];
  /** Ask for the result at once. */
  readonly awaited: boolean;
}

/** One thing that is done to the manager. A `pick` chooses among what there is, modulo its count. */
export type Step =
  | { readonly do: "enqueue"; readonly shape: TaskShape }
  | { readonly do: "enqueueMany"; readonly shapes: readonly TaskShape[] }
  | { readonly do: "enqueueAsync"; readonly shape: TaskShape }
  | { readonly do: "end"; readonly pick: number; readonly ending: Ending }
  | { readonly do: "advance" | "block"; readonly ms: number }
  | { readonly do: "cancelByHandle" | "cancelById"; readonly pick: number }
  | { readonly do: "abortSignal" | "renewSignal"; readonly pick: number }
  | { readonly do: "cancelAll" | "start" }
  | { readonly do: "reprioritize"; readonly pick: number; readonly priority: number }
  | { readonly do: "pause"; readonly queue: string | undefined; readonly wait: boolean }
  | { readonly do: "resume"; readonly queue: string | undefined }
  | { readonly do: "setConcurrency"; readonly inline: number }
  | {
      readonly do: "setRate";
      readonly queue: string | undefined;
      readonly tasksPerSecond: number;
      readonly burst: number | undefined;
    }
  | {
      readonly do: "setRetention";
      readonly maxEntries: number | undefined;
      readonly ttlMs: number | undefined;
    }
  | { readonly do: "askResult"; readonly pick: number; readonly timeoutMs: number | undefined }
  | { readonly do: "drain"; readonly scheduled: boolean }
  | { readonly do: "stopGraceful"; readonly deadlineMs: number }
  | { readonly do: "stopNow" }
  /** Several without letting anything happen between them. */
  | { readonly do: "together"; readonly steps: readonly Step[] };

/** The options of a manager under test. */
export interface Settings {
  readonly seed: number;
  readonly concurrency: number;
  readonly capacity: number;
  readonly whenFull: "reject" | "drop-oldest";
  readonly rate: { readonly tasksPerSecond: number; readonly burst: number | undefined } | undefined;
  readonly queueRate: { readonly tasksPerSecond: number; readonly burst: number | undefined } | undefined;
  readonly strictQueues: boolean;
  readonly maxAbandoned: number | undefined;
  readonly killAfterMs: number;
  readonly retention: { readonly maxEntries: number; readonly ttlMs: number };
  readonly autoStart: boolean;
  /** Whether attempts and calls pass through middleware, which must not show. */
  readonly wrapped: boolean;
  /**
   * Steps that this run leaves out, and options that its tasks do not have: what is rare among everything is
   * common among a few (swarm testing, Groce and others, 2012).
   */
  readonly without: readonly (keyof TaskShape | Step["do"])[];
  /** How the run ends: what is left then is stopped so. */
  readonly lastStop: "graceful" | "now";
}

/** `wide` and `narrow` are configured, `other` and `more` are not. */
export const QUEUES = ["default", "wide", "narrow", "other", "more"] as const;
export const SIGNALS = 3;
const OWN_IDS = 6;

/** Few different times, so that many fall together, and some that hardly ever do. */
const someMs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, 5, 10, 20, 50) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 200 }) },
);
const rates = fc.constantFrom(1, 3, 10, 50, 100, 333, 1_000);
const queue = fc.constantFrom(
  undefined,
  "default",
  "wide",
  "wide",
  "narrow",
  "narrow",
  "other",
  "other",
  "more",
);
const pick = fc.nat(99);

/** Given in so many of a hundred cases. */
const given = <T>(percent: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 100 - percent, arbitrary: fc.constant(undefined) }, { weight: percent, arbitrary });

const ending: fc.Arbitrary<Ending> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Ending>({ ends: "returns" }) },
  { weight: 5, arbitrary: fc.constant<Ending>({ ends: "throws" }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ends: fc.constantFrom("throws-junk" as const, "skips-retry" as const, "cancels-itself" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ends: fc.constant("reschedules" as const),
      delayMs: fc.oneof(fc.constant(0), someMs),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ends: fc.constant("meets-limit" as const),
      retryAfterMs: fc.oneof(fc.constant(0), someMs),
      scope: fc.constantFrom("handler" as const, "all" as const),
    }),
  },
);

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant("hold" as const), obeys: fc.boolean(), watches: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("end" as const), ending, sync: fc.boolean() }) },
);

const shape: fc.Arbitrary<TaskShape> = fc.record({
  queue,
  priority: fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 })),
  weight: fc.constantFrom(1, 1, 1, 2, 1_000),
  delayMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: someMs }),
  cost: fc.constantFrom(1, 1, 1, 2, 3, 5),
  maxAttempts: given(50, fc.integer({ min: 1, max: 4 })),
  backoff: fc.constantFrom("none", "fixed", "doubling", "jitter", "throws"),
  timeoutMs: given(30, fc.oneof(someMs, fc.constant<false>(false))),
  ttlMs: given(15, someMs),
  killAfterMs: given(30, fc.constantFrom(0, 5, 30, 100)),
  ownId: given(15, fc.nat(OWN_IDS - 1)),
  signal: given(30, fc.nat(SIGNALS - 1)),
  acts: fc.array(act, { maxLength: 4 }),
  awaited: fc.boolean(),
});

const limit = fc.record({ tasksPerSecond: rates, burst: given(70, fc.integer({ min: 1, max: 6 })) });

export const settings: fc.Arbitrary<Settings> = fc.record({
  seed: fc.nat(1_000_000),
  concurrency: fc.integer({ min: 1, max: 4 }),
  capacity: fc.integer({ min: 1, max: 12 }),
  whenFull: fc.constantFrom("reject", "reject", "drop-oldest"),
  rate: given(60, limit),
  queueRate: given(75, limit),
  strictQueues: fc.boolean(),
  maxAbandoned: given(50, fc.integer({ min: 0, max: 3 })),
  killAfterMs: fc.constantFrom(0, 10, 40),
  retention: fc.record({
    maxEntries: fc.constantFrom(0, 2, 5, 1_000),
    ttlMs: fc.constantFrom(0, 20, 100, 3_600_000),
  }),
  autoStart: fc.constantFrom(true, true, true, true, false),
  wrapped: fc.boolean(),
  without: fc.subarray<keyof TaskShape | Step["do"]>([
    ...(["enqueueMany", "enqueueAsync", "block", "cancelByHandle", "cancelById", "abortSignal"] as const),
    ...(["cancelAll", "reprioritize", "pause", "setConcurrency", "setRate", "setRetention"] as const),
    ...(["stopGraceful", "stopNow", "together"] as const),
    ...(["queue", "delayMs", "cost", "timeoutMs", "ttlMs", "killAfterMs", "ownId", "signal"] as const),
  ]),
  lastStop: fc.constantFrom("graceful", "now"),
});

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> };

const end: fc.Arbitrary<Step> = fc.record({ do: fc.constant("end"), pick, ending });
const pause: fc.Arbitrary<Step> = fc.record({ do: fc.constant("pause"), queue, wait: fc.boolean() });
const resume: fc.Arbitrary<Step> = fc.record({ do: fc.constant("resume"), queue });

function stopGraceful(...deadlinesMs: number[]): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constant("stopGraceful"), deadlineMs: fc.constantFrom(...deadlinesMs) });
}

const instant: readonly Weighted[] = [
  { weight: 60, arbitrary: fc.record({ do: fc.constant("enqueue"), shape }) },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constant("enqueueMany"), shapes: fc.array(shape, { maxLength: 5 }) }),
  },
  { weight: 20, arbitrary: fc.record({ do: fc.constant("enqueueAsync"), shape }) },
  { weight: 60, arbitrary: end },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom("cancelByHandle", "cancelById"), pick }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("abortSignal", "renewSignal", "renewSignal"), pick }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("cancelAll", "start", "start") }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("reprioritize"),
      pick,
      priority: fc.integer({ min: -3, max: 3 }),
    }),
  },
  { weight: 8, arbitrary: pause },
  { weight: 14, arbitrary: resume },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("setConcurrency"), inline: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("setRate"),
      queue,
      tasksPerSecond: fc.oneof(rates, fc.constant(Number.POSITIVE_INFINITY)),
      burst: given(70, fc.integer({ min: 1, max: 6 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("setRetention"),
      maxEntries: given(50, fc.constantFrom(0, 1, 4, 100)),
      ttlMs: given(50, fc.constantFrom(0, 10, 1_000)),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("askResult"), pick, timeoutMs: given(50, someMs) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("drain"), scheduled: fc.boolean() }) },
  { weight: 1, arbitrary: stopGraceful(0, 20, 60, 200) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stopNow") }) },
];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 160, arbitrary: fc.oneof(...instant) },
  {
    weight: 50,
    arbitrary: fc.record({
      do: fc.constant("together"),
      steps: fc.array(fc.oneof(...instant), { minLength: 2, maxLength: 4 }),
    }),
  },
  {
    weight: 55,
    arbitrary: fc.record({ do: fc.constant("advance"), ms: fc.oneof(someMs, fc.constant(1_000)) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("block"), ms: someMs }) },
);

/** What matters while a stop is under way: what ends in it is tried again, or held by a pause, or neither. */
const stepInStop: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: end },
  { weight: 2, arbitrary: pause },
  { weight: 1, arbitrary: resume },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("advance"), ms: someMs }) },
  { weight: 1, arbitrary: step },
);

/** Up to 200 steps; a failing run shrinks to a few. In some, a stop is in the middle. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 3, arbitrary: fc.array(step, { maxLength: 200, size: "max" }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.array(step, { maxLength: 60, size: "max" }),
        stopGraceful(60, 200),
        fc.array(stepInStop, { maxLength: 30, size: "max" }),
      )
      .map(([before, stop, after]) => [...before, stop, ...after]),
  },
);
