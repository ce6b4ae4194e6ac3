import type { LogFields, Logger } from "../../src/index.js";

export type LogEntry = [level: string, text: string, fields: LogFields];

/** A logger that keeps what it is told. */
export class LogRecorder implements Logger {
  readonly entries: LogEntry[] = [];

  debug = (fields: LogFields, text: string) => this.entries.push(["debug", text, fields]);
  info = (fields: LogFields, text: string) => this.entries.push(["info", text, fields]);
  warn = (fields: LogFields, text: string) => this.entries.push(["warn", text, fields]);
  error = (fields: LogFields, text: string) => this.entries.push(["error", text, fields]);

  /** Level and text of all but the starts. */
  get ends(): string[] {
    return this.entries.filter(([level]) => level !== "debug").map(([level, text]) => `${level}: ${text}`);
  }
}
