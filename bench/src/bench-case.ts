/** One way of doing the work of a case. It runs in a process of its own. */
export interface Contestant {
  /** `millrace`, or the package; what follows `@` tells two contestants of one package apart. */
  readonly name: string;
  /**
   * Does the work once and resolves to the cost in the unit of the case. It checks its own results (a sum, an order,
   * a count) and throws when they are wrong, so that no work is optimised away or skipped.
   */
  readonly run: () => Promise<number>;
  /** Too slow to repeat: one run, without a warm-up. Every round is compared with it. */
  readonly once?: boolean;
}

/** A figure that is reported, and judged where it has a floor. */
export interface Goal {
  /** The contestant whose figure it is. */
  readonly of: string;
  /** The figure is `of` ÷ `to`, round by round; without `to` it is the cost of `of` itself. */
  readonly to?: string;
  /** Worse than this is a FAIL. */
  readonly floor?: number;
  /** What we are working towards. */
  readonly aim?: number;
}

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  readonly unit: "%" | "tasks/s" | "push+pop/s" | "ms" | "µs" | "bytes/task" | "ns/task";
  readonly better: "higher" | "lower";
  /** Measured rounds; in each one every contestant runs once. */
  readonly rounds: number;
  /** The first one is Millrace's main figure. */
  readonly contestants: readonly [Contestant, ...Contestant[]];
  readonly goals: readonly Goal[];
}
