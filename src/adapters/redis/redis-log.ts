import type { BackendLog } from "../../ports/backend-log.js";
import type { LogFields, Logger, LogLevel } from "../../ports/logger.js";

/** At most one line in so long tells of trouble that comes again and again. */
const EVERY_MS = 1_000;

/** Says what an operator has to know. What the logger does with it changes nothing here. */
export class RedisLog implements BackendLog {
  #logger: Logger | undefined;
  readonly #found = new Set<string>();
  #saidAt = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  sayTo(logger: Logger): void {
    this.#logger ??= logger;
  }

  /** Trouble that passes. Of an error, no more is said than its type, its code, and where it was met. */
  trouble(text: string, fields: LogFields): void {
    const now = performance.now();
    if (now - this.#saidAt < EVERY_MS) {
      this.#unsaid++;
      return;
    }
    const unsaid = this.#unsaid === 0 ? undefined : { linesLeftOut: this.#unsaid };
    this.#saidAt = now;
    this.#unsaid = 0;
    this.#write("warn", text, { ...fields, ...unsaid });
  }

  /** Something about the server that stays as it is until somebody changes it: said once. */
  finding(level: LogLevel, text: string, fields: LogFields): void {
    const found = `${text} ${JSON.stringify(fields)}`;
    if (this.#found.has(found) || this.#found.size > 100) return;
    this.#found.add(found);
    this.#write(level, text, fields);
  }

  #write(level: LogLevel, text: string, fields: LogFields): void {
    const logger = this.#logger;
    if (logger === undefined) return;
    new Promise((resolve) => resolve(logger[level](fields, text))).catch(() => {});
  }
}
