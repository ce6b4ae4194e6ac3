import type { StoreLimits } from "./backend-subject.js";
import type { BackendTrial } from "./backend-trial.js";

/** One rule of backends. */
export interface BackendRule {
  readonly name: string;
  /** What its store is made with, where `leaseMs` is as long as a lease that is to expire. */
  readonly limits?: ((leaseMs: number) => StoreLimits) | undefined;
  /** Whether minutes have to pass. */
  readonly leaps?: boolean | undefined;
  /** Rejects where it is broken. What it leaves open is closed by the suite. */
  check(trial: BackendTrial): Promise<void>;
}
