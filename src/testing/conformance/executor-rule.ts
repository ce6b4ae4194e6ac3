import type { Trial } from "./trial.js";

/** One rule of executors. */
export interface ExecutorRule {
  readonly name: string;
  /** For whom it is meant. Default: everybody. */
  readonly of?: "here" | "elsewhere" | "kills" | "cannot kill" | "pooled" | "pooled and kills" | undefined;
  /** How many attempts there is room for at once. Default 1. */
  readonly slots?: number | undefined;
  /** Rejects where it is broken. What it leaves open is closed by the suite. */
  check(trial: Trial): Promise<void>;
}
