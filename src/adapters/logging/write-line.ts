import type { LogFields, Logger, LogLevel } from "../../ports/logger.js";

/** One line of a log. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields: LogFields;
}

/**
 * Writes a line. A logger that throws, or gives a promise that rejects, has no part in anything else; one
 * that never answers is not waited for.
 */
export function writeLine(logger: Logger, line: LogLine, failed: (error: unknown) => void): void {
  const { level, fields, text } = line;
  new Promise((resolve) => resolve(logger[level](fields, text))).catch(failed);
}
