import type { Logger } from "./logger.js";

/** Where a store says what no call tells: what is wrong with its set-up, or with the way to it. */
export interface BackendLog {
  /**
   * Says it to this logger, unless whoever made the backend gave it one. A manager with a `logger` calls this
   * before anything else. It does not throw.
   */
  sayTo(logger: Logger): void;
}
