import { AsyncResource } from "node:async_hooks";
import type { Backend } from "../../ports/backend.js";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { LogFields, Logger, LogLevel } from "../../ports/logger.js";
import { toErrorType } from "../../task/error-type.js";
import type { Mishap } from "../../task/mishap.js";
import type { TaskEvent, TaskEventType } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import type { LateFaultDetails, WorkerExitReason } from "../../task/worker-details.js";
import { type LogLine, writeLine } from "./write-line.js";

/** One line of each kind in so many milliseconds, at most. */
const EVERY_MS = 10_000;

/** What can go wrong again and again. */
type Kind =
  | "abandoned"
  | "dropped"
  | "refused"
  | "resultDropped"
  | "workerLost"
  | "lateFault"
  | "storeLost"
  | "observerFailed"
  | "hookCallsDropped"
  | "leaseLost"
  | "ackUnknown"
  | "deadLettered"
  | "failed"
  | "notConsumed"
  | "storeFailed"
  | "storeRecovered";

const TEXTS: Readonly<Record<Kind, string>> = {
  abandoned: "attempts abandoned",
  dropped: "tasks dropped to make room",
  refused: "tasks refused for want of room",
  resultDropped: "results dropped",
  workerLost: "worker threads lost",
  lateFault: "late faults of finished tasks",
  storeLost: "queues lost by the store of durable tasks",
  observerFailed: "observers failed",
  hookCallsDropped: "hook calls dropped",
  leaseLost: "leases of durable tasks lost",
  ackUnknown: "ends of durable tasks not confirmed by the store",
  deadLettered: "durable tasks have become dead letters",
  failed: "tasks have failed whose results nobody was waiting for",
  notConsumed: "durable tasks are in a queue that is not consumed here",
  storeFailed: "calls to the store failed",
  storeRecovered: "the store answers again",
};

/** What listeners to events tell of. */
const HEARD: readonly TaskEventType[] = [
  ...(["abandoned", "dropped", "resultDropped"] as const),
  ...(["workerExited", "lateFault", "storeLost", "stopping"] as const),
  ...(["leaseLost", "ackUnknown", "deadLettered"] as const),
];

/** Threads that did not end as they should. */
const LOST: readonly WorkerExitReason[] = [
  ...(["killed", "exited", "out-of-memory"] as const),
  ...(["start-failed", "load-failed"] as const),
];

/** What has happened of one kind since its last line. */
interface Unsaid {
  count: number;
  /** Of the latest. */
  fields: LogFields;
  saidAt: number;
}

export type LogSource = Pick<InstrumentationPoint, "clock" | "listen" | "listenToMishaps" | "recordError">;

/** Has the promise of the report, once a stop has begun. */
export interface StopSource {
  readonly report: Promise<object> | undefined;
}

/**
 * Says what an operator has to know, in one line of each kind in 10 seconds at most. It listens only to what
 * is rare where all is well. Lines are written outside of the call in which they came up, in the async
 * context in which the manager was made, so that the logger may do as it likes.
 */
export class ManagerLog {
  readonly #logger: Logger;
  readonly #source: LogSource;
  readonly #stop: StopSource;
  readonly #root = new AsyncResource("MillraceLog", { requireManualDestroy: true });
  readonly #unsaid = new Map<Kind, Unsaid>();

  constructor(logger: Logger, source: LogSource, stop: StopSource) {
    this.#logger = logger;
    this.#source = source;
    this.#stop = stop;
    source.listen((event) => this.#hear(event), HEARD);
    source.listenToMishaps((mishap) => this.#hearMishap(mishap));
  }

  /** Writes what a store has to say, as the store says it, where it was given no logger of its own. */
  serve(backend: Pick<Backend, "log"> | undefined): void {
    const write = (level: LogLevel) => (fields: LogFields, text: string) =>
      this.#writeSoon({ level, text, fields });
    const [debug, info, warn, error] = [write("debug"), write("info"), write("warn"), write("error")];
    try {
      backend?.log?.sayTo({ debug, info, warn, error });
    } catch (broken) {
      this.#source.recordError(broken, "logger");
    }
  }

  #hear(event: TaskEvent): void {
    if (event.type === "abandoned") {
      this.#count("abandoned", { ...toFields(event.task), attempt: event.task.attempt });
    } else if (event.type === "dropped") {
      this.#count("dropped", toFields(event.task));
    } else if (event.type === "resultDropped") {
      this.#count("resultDropped", { subscription: event.subscription });
    } else if (event.type === "workerExited") {
      const { error, reason, worker } = event.worker;
      const failure = error === undefined ? undefined : { errorType: toErrorType(error) };
      if (LOST.includes(reason)) this.#count("workerLost", { worker, reason, ...failure });
    } else if (event.type === "lateFault") {
      this.#count("lateFault", toFaultFields(event.fault));
    } else if (event.type === "storeLost") {
      this.#count("storeLost", { queue: event.queue });
    } else if (event.type === "leaseLost" || event.type === "ackUnknown") {
      this.#count(event.type, { ...toFields(event.task), attempt: event.task.attempt });
    } else if (event.type === "deadLettered") {
      const { id, handler, queue, reason, attempts } = event.letter;
      this.#count("deadLettered", { task: id, handler, queue, reason, attempts });
    } else if (event.type === "stopping") {
      this.#writeSoon({ level: "info", text: "stop begun", fields: { graceful: event.graceful } });
      void this.#stop.report?.then((report) => this.#sayStopped(report));
    }
  }

  #hearMishap(mishap: Mishap): void {
    switch (mishap.type) {
      case "refused":
      case "notConsumed":
        this.#count(mishap.type, toGroupFields(mishap));
        break;
      case "failed": {
        const { attempt, details, error, handler, id, queue } = mishap.task;
        const fields = toFields({ id, name: details?.name, handler, queue });
        this.#count("failed", { ...fields, attempt, errorType: toErrorType(error) });
        break;
      }
      case "observerFailed": {
        const { error, origin } = mishap;
        if (origin.source === "logger") break; // it would be told of itself
        const name = origin.name === undefined ? undefined : { name: origin.name };
        this.#count("observerFailed", { source: origin.source, ...name, errorType: toErrorType(error) });
        break;
      }
      case "hookCallsDropped":
        this.#count("hookCallsDropped", {}, mishap.count);
        break;
      case "storeFailed":
        this.#count("storeFailed", { call: mishap.call, errorType: toErrorType(mishap.error) });
        break;
      default:
        this.#count(mishap.type, {});
    }
  }

  #count(kind: Kind, fields: LogFields, count = 1): void {
    const now = this.#source.clock.now();
    let unsaid = this.#unsaid.get(kind);
    if (unsaid === undefined) {
      unsaid = { count: 0, fields, saidAt: Number.NEGATIVE_INFINITY };
      this.#unsaid.set(kind, unsaid);
    }
    unsaid.count += count;
    unsaid.fields = fields;
    if (now - unsaid.saidAt < EVERY_MS) return;
    unsaid.saidAt = now;
    this.#writeSoon(toLine(kind, unsaid));
  }

  /** What is left is said first. */
  #sayStopped(report: object): void {
    for (const [kind, unsaid] of this.#unsaid) if (unsaid.count > 0) this.#write(toLine(kind, unsaid));
    this.#write({ level: "info", text: "stopped", fields: { ...report } });
  }

  #writeSoon(line: LogLine): void {
    queueMicrotask(() => this.#write(line));
  }

  #write(line: LogLine): void {
    const failed = (error: unknown) => this.#source.recordError(error, "logger");
    this.#root.runInAsyncScope(() => writeLine(this.#logger, line, failed));
  }
}

/** Takes what is unsaid. */
function toLine(kind: Kind, unsaid: Unsaid): LogLine {
  const { count, fields } = unsaid;
  unsaid.count = 0;
  return { level: "warn", text: TEXTS[kind], fields: { ...fields, count } };
}

function toFields(task: Pick<TaskSnapshot, "id" | "name" | "handler" | "queue">): LogFields {
  const { id, name } = task;
  return { task: id, ...(name === undefined ? undefined : { name }), ...toGroupFields(task) };
}

function toFaultFields({ error, handler, id, queue, worker }: LateFaultDetails): LogFields {
  return {
    ...(id === undefined ? undefined : { task: id }),
    ...(handler === undefined ? undefined : { handler }),
    ...(queue === undefined ? undefined : { queue }),
    ...{ worker, errorType: toErrorType(error) },
  };
}

function toGroupFields({ handler, queue }: Pick<TaskSnapshot, "handler" | "queue">): LogFields {
  return { ...(handler === undefined ? undefined : { handler }), queue };
}
