import type { Executor } from "../../ports/executor.js";
import type { Work } from "../../task/work.js";

/** An executor as a conformance suite looks at it: how it is made, and which rules are meant for it. */
export interface ExecutorSubject {
  /**
   * Makes one that nothing has run in, with room for `slots` attempts at once. One with a pool has no worker
   * to begin with, replaces what has died, and makes one more at once where it is wanted.
   */
  create(slots: number): Executor;
  /**
   * The work that calls the function of that name in the module `conformanceModule` with the payload. Where
   * the module has no function of that name, what loading such a handler comes to is what is looked at.
   */
  work(handler: string, payload: unknown): Work;
  /** Whether handlers run elsewhere, so that what they take and give is copied: in a thread, in a process. */
  readonly elsewhere: boolean;
  /** Whether `kill` ends an attempt, whatever it does. */
  readonly kills: boolean;
  /** Whether it has a pool: workers that come, die and are replaced. */
  readonly pooled: boolean;
  /** How long the suite waits for what must come, in milliseconds. Default 10,000. */
  readonly patienceMs?: number | undefined;
}
