import type { StopReport, TaskManager } from "millrace";
import type { Mishaps } from "./digest-folder.ts";
import type { DemoHandlers } from "./handlers.ts";
import type { Percentiles } from "./histogram.ts";
import { KINDS, type Kind } from "./kinds.ts";
import type { Complaint, NamedDigest, Outcomes } from "./outcomes.ts";
import type { Usage, UsageMeter } from "./usage.ts";

export interface QueueSummary {
  readonly completed: number;
  readonly failed: number;
  readonly retried: number;
  readonly cancelled: number;
  /** From being ready to the start of the last attempt. */
  readonly waitMs: Percentiles | null;
  /** How long the last attempt ran. */
  readonly runMs: Percentiles | null;
}

/** All that is told at the end; `--json` prints it as it is. */
export interface Summary {
  readonly folder: string;
  /** The signal that ended the run before its time. */
  readonly interruptedBy: string | null;
  /** Files that became tasks: completed + failed + cancelled. */
  readonly files: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly retried: number;
  readonly unreadableFolders: number;
  /** Read, of the files that completed. */
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly elapsedMs: number;
  readonly usage: Usage;
  readonly filesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly peakRssBytes: number;
  readonly queues: Readonly<Record<Kind, QueueSummary>>;
  readonly largest: NamedDigest | null;
  readonly mishaps: Mishaps | null;
  /** The first few; `failed` and `unreadableFolders` count all. */
  readonly complaints: readonly Complaint[];
  readonly stop: StopReport;
}

export interface SummaryParts {
  readonly folder: string;
  readonly interruptedBy: string | undefined;
  readonly tasks: TaskManager<DemoHandlers>;
  readonly outcomes: Outcomes;
  readonly mishaps: Mishaps | undefined;
  readonly meter: UsageMeter;
  readonly stop: StopReport;
}

export function summarize({ tasks, outcomes, meter, ...parts }: SummaryParts): Summary {
  const { total, queues } = tasks.stats();
  const { elapsedMs } = meter;
  const seconds = elapsedMs / 1_000;
  const toQueue = (kind: Kind): QueueSummary => {
    const { completed = 0, failed = 0, retried = 0, cancelled = 0 } = queues[kind] ?? {};
    const waitMs = outcomes.waits[kind].percentiles();
    const runMs = outcomes.runs[kind].percentiles();
    return { completed, failed, retried, cancelled, waitMs, runMs };
  };
  return {
    folder: parts.folder,
    interruptedBy: parts.interruptedBy ?? null,
    files: total.enqueued,
    completed: total.completed,
    failed: total.failed,
    cancelled: total.cancelled,
    retried: total.retried,
    unreadableFolders: outcomes.unreadableFolders,
    bytes: outcomes.bytes,
    gzipBytes: outcomes.gzipBytes,
    elapsedMs,
    usage: meter.sinceStart(),
    filesPerSecond: total.completed / seconds,
    bytesPerSecond: outcomes.bytes / seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1_024,
    queues: Object.fromEntries(KINDS.map((kind) => [kind, toQueue(kind)])) as Record<Kind, QueueSummary>,
    largest: outcomes.largest ?? null,
    mishaps: parts.mishaps ?? null,
    complaints: outcomes.complaints,
    stop: parts.stop,
  };
}
