/** What a line says beside its text. An error, where it is told whole, is in `err`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** From the least to the most urgent. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Where lines are logged: pino, the console, or whatever takes fields and then a text. What it returns is not
 * looked at, but for a promise, and what it throws or rejects with changes nothing.
 */
export interface Logger {
  debug(fields: LogFields, text: string): unknown;
  info(fields: LogFields, text: string): unknown;
  warn(fields: LogFields, text: string): unknown;
  error(fields: LogFields, text: string): unknown;
}

/** Where a store says what no call tells: what is wrong with its set-up, or with the way to it. */
export interface BackendLog {
  /**
   * Says it to this logger, unless whoever made the backend gave it one. A manager with a `logger` calls this
   * before anything else. It does not throw.
   */
  sayTo(logger: Logger): void;
}
