import type { WorkerExitReason } from "../../task/worker-details.js";
import type { Pulse } from "./pulses.js";

/**
 * Where a thread is in its life, and what is known of it.
 *
 * - `starting` → `idle` when it has told that it is ready; → `dying` when it has not in time
 * - `idle` → `busy` with a batch; → `dying` when it is not needed any more
 * - `busy` → `idle` when each attempt of the batch is over; → `dying` where it was to be retired then
 * - any → `dying` when it is to be ended at once; whatever of its batch has not begun goes back
 * - any → `gone` when it has exited, by itself or not
 */
export abstract class ThreadLife {
  readonly name: string;
  readonly bornAt: number;
  /** Its own, from its launch to its exit. */
  readonly pulse: Pulse | undefined;
  /** When it got ready; undefined before. */
  readyAt: number | undefined = undefined;
  /** Since when it has had nothing to do, while it is idle. */
  idleSince = 0;
  busySince = 0;
  attempts = 0;
  exitReason: WorkerExitReason | undefined = undefined;
  exitCode: number | undefined = undefined;
  /** What it died of. */
  error: unknown = undefined;
  state: "starting" | "idle" | "busy" | "dying" | "gone" = "starting";

  constructor(name: string, bornAt: number, pulse: Pulse | undefined) {
    this.name = name;
    this.bornAt = bornAt;
    this.pulse = pulse;
  }

  /** A line for the stacks of errors: where they came from. */
  get origin(): string {
    return `    at worker thread ${this.name}`;
  }

  /** Whether it takes nothing more. */
  get ending(): boolean {
    return this.state === "dying" || this.state === "gone";
  }
}
