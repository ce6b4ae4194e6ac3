import { DeadlineError, ManagerStoppedError, TaskCancelledError, TaskTimeoutError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import type { LogFields, Logger, LogLevel } from "../../ports/logger.js";
import { type Checks, having, oneOf, readOptions } from "../../task/checks.js";
import { toErrorType } from "../../task/error-type.js";
import type { Middleware } from "../../task/middleware.js";
import type { Outcome } from "../../task/outcome.js";
import { findSteering } from "../../task/steering.js";
import type { TaskContext } from "../../task/task-context.js";
import { writeLine } from "./write-line.js";

/** Settings of `logging`. */
export interface LoggingOptions {
  /** Log nothing less urgent. Default `"debug"`: everything. */
  level?: LogLevel | undefined;
  /**
   * What is said of errors, whose messages, stacks, causes and fields may hold secrets: `"type"` (default)
   * says only `errorType`, the code of an error of Millrace or the name of a class; `"whole"` adds the error
   * itself as `err`, and the `reason` with which a handler cancelled its task.
   */
  errors?: "type" | "whole" | undefined;
  /** What times the attempts; `ManualClock` serves tests. Default: the system. */
  clock?: Pick<Clock, "now"> | undefined;
}

/** What a line says of an attempt. */
interface Line {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields?: LogFields;
  /** What may hold a secret. */
  readonly delicate?: LogFields;
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

const CHECKS: Checks<LoggingOptions> = {
  level: oneOf(...LEVELS),
  errors: oneOf("type", "whole"),
  clock: having<Pick<Clock, "now">>("a clock", "now"),
};

const loggerCheck = having<Logger>("a logger", ...LEVELS);

/**
 * Middleware that logs when attempts start (`debug`), and how they end: completed, steered, cancelled or
 * stopped (`info`), failed or timed out (`warn`, and `error` when no attempt is left). The fields are `task`
 * (its id), `name` and `handler` where there are any, `queue`, `attempt`, at an end `runMs` and `errorType`;
 * never a payload, value or metadata, and of an error no more unless `errors` says so. An attempt that is
 * abandoned has no line of its end before it ends.
 * @throws {OptionError}
 */
export function logging(logger: Logger, options?: LoggingOptions): Middleware {
  const target = loggerCheck(logger, "logger");
  const read = readOptions<LoggingOptions>("", options, CHECKS);
  const { level: least = "debug", errors = "type", clock = performance } = read;
  const log = ({ level, text, ...line }: Line, common: LogFields) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    const delicate = errors === "whole" ? line.delicate : undefined;
    writeLine(target, { level, text, fields: { ...common, ...line.fields, ...delicate } }, () => {});
  };
  return {
    name: "logging",
    attempt: async (context, next) => {
      const fields = toFields(context);
      log({ level: "debug", text: "attempt started" }, fields);
      const startedAt = clock.now();
      const end = (outcome: Outcome) =>
        log(toLine(context, outcome), { ...fields, runMs: clock.now() - startedAt });
      try {
        const value = await next();
        end({ returned: true, value });
        return value;
      } catch (thrown) {
        end({ returned: false, thrown });
        throw thrown;
      }
    },
  };
}

function toFields(context: TaskContext): LogFields {
  const { id: task, name, handler, queue, attempt } = context;
  return {
    task,
    ...(name === undefined ? undefined : { name }),
    ...(handler === undefined ? undefined : { handler }),
    ...{ queue, attempt },
  };
}

function toLine(context: TaskContext, outcome: Outcome): Line {
  const { aborted, reason } = context.signal;
  if (aborted && !(outcome.returned && reason instanceof ManagerStoppedError)) {
    return toAbortedLine(context, reason);
  }
  if (outcome.returned) return { level: "info", text: "attempt completed" };
  const steering = findSteering(outcome.thrown);
  switch (steering?.steering) {
    case "reschedule":
      return { level: "info", text: "attempt rescheduled", fields: { delayMs: steering.delayMs } };
    case "rate-limited":
      return { level: "info", text: "attempt rate-limited", fields: { delayMs: steering.retryAfterMs } };
    case "cancel-task":
      return { level: "info", text: "attempt cancelled its task", delicate: { reason: steering.reason } };
    case "skip-retry":
      return { level: "error", text: "attempt failed for good", ...tell(steering.cause) };
    case undefined:
      return { level: toLevel(context), text: "attempt failed", ...tell(outcome.thrown) };
  }
}

/** The outcome of an abort stands, whatever the handler did after it. */
function toAbortedLine(context: TaskContext, err: unknown): Line {
  const told = tell(err);
  if (err instanceof TaskTimeoutError) return { level: toLevel(context), text: "attempt timed out", ...told };
  if (err instanceof DeadlineError) return { level: "error", text: "attempt met the deadline", ...told };
  if (err instanceof TaskCancelledError) return { level: "info", text: "attempt cancelled", ...told };
  return { level: "info", text: "attempt stopped", ...told };
}

function tell(err: unknown): Pick<Line, "fields" | "delicate"> {
  return { fields: { errorType: toErrorType(err) }, delicate: { err } };
}

function toLevel({ attempt, maxAttempts }: TaskContext): LogLevel {
  return attempt < maxAttempts ? "warn" : "error";
}
