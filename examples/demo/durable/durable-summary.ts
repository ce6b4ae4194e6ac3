import Table from "cli-table3";
import type { Mishaps } from "../digest-folder.ts";
import { formatBytes, formatCount, formatMs, printable } from "../format.ts";
import { KINDS, type Kind } from "../kinds.ts";
import type { Complaint, NamedDigest, Outcomes } from "../outcomes.ts";
import { complaintLines, NO_LINES } from "../print-summary.ts";
import type { AwaitedDigests, KindTally } from "./awaited-digests.ts";
import type { Crew, WorkerSummary } from "./crew.ts";

/** The worker that was killed on purpose. */
export interface Killed {
  readonly name: string;
  readonly pid: number;
  readonly afterMs: number;
  /** Files that it had begun and not finished, as far as it could tell. */
  readonly held: number;
  readonly replacement: string | null;
}

/** All that is told at the end of `--durable`; `--json` prints it as it is. */
export interface DurableSummary {
  readonly folder: string;
  readonly interruptedBy: string | null;
  /** Files that became tasks: completed + failed + cancelled + left. */
  readonly files: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Not done, since the run was interrupted; removed from Redis. */
  readonly left: number;
  readonly retried: number;
  /** Files that the killed process had begun, and another began again. */
  readonly redelivered: number;
  readonly unreadableFolders: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly elapsedMs: number;
  readonly filesPerSecond: number;
  readonly queues: Readonly<Record<Kind, KindTally>>;
  readonly workers: readonly WorkerSummary[];
  readonly killed: Killed | null;
  readonly largest: NamedDigest | null;
  readonly mishaps: Mishaps | null;
  readonly complaints: readonly Complaint[];
}

export interface DurableSummaryParts {
  readonly folder: string;
  readonly elapsedMs: number;
  readonly interruptedBy: string | undefined;
  readonly digests: AwaitedDigests;
  readonly outcomes: Outcomes;
  readonly crew: Crew;
  readonly mishaps: Mishaps | undefined;
  readonly killed: Killed | undefined;
}

export function summarizeDurable(parts: DurableSummaryParts): DurableSummary {
  const { crew, digests, elapsedMs, folder, outcomes } = parts;
  const sum = (member: keyof KindTally) =>
    KINDS.reduce((all, kind) => all + digests.tallies[kind][member], 0);
  const completed = sum("completed");
  return {
    folder,
    interruptedBy: parts.interruptedBy ?? null,
    files: digests.enqueued,
    completed,
    failed: sum("failed"),
    cancelled: sum("cancelled"),
    left: digests.left,
    retried: crew.retried,
    redelivered: crew.redelivered,
    unreadableFolders: outcomes.unreadableFolders,
    bytes: outcomes.bytes,
    gzipBytes: outcomes.gzipBytes,
    elapsedMs,
    filesPerSecond: completed / (elapsedMs / 1_000),
    queues: digests.tallies,
    workers: crew.workers,
    killed: parts.killed ?? null,
    largest: outcomes.largest ?? null,
    mishaps: parts.mishaps ?? null,
    complaints: outcomes.complaints,
  };
}

/** The summary as a text for people, ready to be written in one go. */
export function toDurableText(summary: DurableSummary): string {
  return `${[
    toTable(
      ["queue", "completed", "failed", "cancelled"],
      KINDS.map((kind) => {
        const { completed, failed, cancelled } = summary.queues[kind];
        return [kind, ...[completed, failed, cancelled].map(formatCount)];
      }),
    ),
    "",
    toTable(
      ["process", "pid", "begun", "completed", "end"],
      summary.workers.map(({ name, pid, begun, completed, end }) => {
        return [name, String(pid), formatCount(begun), formatCount(completed), end ?? "-"];
      }),
    ),
    "",
    ...totals(summary),
    ...complaintLines(summary),
  ].join("\n")}\n`;
}

function totals(summary: DurableSummary): string[] {
  const { bytes, elapsedMs, files, gzipBytes, interruptedBy, killed, largest } = summary;
  const counts = [
    `${formatCount(summary.completed)} completed`,
    `${formatCount(summary.failed)} failed`,
    `${formatCount(summary.cancelled)} cancelled`,
    `${formatCount(summary.left)} left`,
  ];
  const speed = `${formatCount(summary.filesPerSecond)} files/s`;
  const fate = interruptedBy === null ? "every one has ended" : `stopped by ${interruptedBy}`;
  const lines = [
    `${formatCount(files)} files in ${formatMs(elapsedMs)}, ${speed}: ${fate}`,
    counts.join(" + "),
    `${formatCount(summary.retried)} retried, ${formatCount(summary.redelivered)} redelivered`,
    killed === null ? "no process was killed" : killedLine(killed),
    `${formatBytes(bytes)} read, ${formatBytes(gzipBytes)} after gzip`,
  ];
  if (largest !== null) {
    lines.push(`largest: ${printable(largest.path)}, ${formatBytes(largest.bytes)}`);
    lines.push(`sha256:  ${largest.sha256}`);
  }
  return lines;
}

function killedLine({ afterMs, held, name, replacement }: Killed): string {
  const place = replacement === null ? "" : `; ${replacement} took its place`;
  return `${name} was killed after ${formatMs(afterMs)}, when it held ${formatCount(held)}${place}`;
}

function toTable(head: string[], rows: readonly string[][]): string {
  const table = new Table({
    head,
    colAligns: head.map((name) => (name === "end" || name === head[0] ? "left" : "right")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    chars: NO_LINES,
  });
  table.push(...rows);
  return table.toString();
}
