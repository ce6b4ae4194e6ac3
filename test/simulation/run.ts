import type { SimulatedProcess } from "./simulated-process.js";

/** How a handler ended by itself. */
export type RunResult = "returned" | "failed" | "rescheduled" | "interrupted" | "cancelled";

/** One run of a handler, under one lease. */
export interface Run {
  readonly id: string;
  readonly token: number;
  readonly process: SimulatedProcess;
  readonly startedAt: number;
  /** Its signal was aborted, since its lease was lost. */
  aborted: boolean;
  /** What it came to; undefined while it goes on. */
  result: RunResult | undefined;
}
