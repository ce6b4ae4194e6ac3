import Table from "cli-table3";
import type { StopReport } from "millrace";
import { formatBytes, formatCount, formatMs, formatPercentiles, formatUsage, printable } from "./format.ts";
import { KINDS } from "./kinds.ts";
import type { Summary } from "./summary.ts";

/** The summary as a text for people, ready to be written in one go. */
export function toText(summary: Summary): string {
  const lines = [
    ...(summary.interruptedBy === null ? [] : [stopLine(summary.interruptedBy, summary.stop), ""]),
    toTable(summary),
    "",
    ...totals(summary),
    ...complaintLines(summary),
  ];
  return `${lines.join("\n")}\n`;
}

/** The parts of a stop report add up to the tasks that were alive when the stop began. */
function stopLine(signal: string, stop: StopReport): string {
  const parts = [
    `${formatCount(stop.completed)} completed`,
    `${formatCount(stop.failed)} failed`,
    `${formatCount(stop.cancelled)} cancelled`,
    `${formatCount(stop.interrupted)} interrupted`,
    `${formatCount(stop.abandoned)} abandoned`,
    `${formatCount(stop.neverStarted)} never started`,
  ];
  const alive = `${formatCount(stop.alive)} tasks alive`;
  return `Stopped by ${signal} in ${formatMs(stop.durationMs)}: ${alive} = ${parts.join(" + ")}`;
}

function toTable({ queues }: Summary): string {
  const table = new Table({
    head: ["queue", "completed", "failed", "retried", "cancelled", "wait p50 p95 p99", "run p50 p95 p99"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    chars: NO_LINES,
  });
  for (const kind of KINDS) {
    const { completed, failed, retried, cancelled, waitMs, runMs } = queues[kind];
    const counts = [completed, failed, retried, cancelled].map(formatCount);
    table.push([kind, ...counts, formatPercentiles(waitMs), formatPercentiles(runMs)]);
  }
  return table.toString();
}

function totals(summary: Summary): string[] {
  const { files, elapsedMs, bytes, gzipBytes, largest } = summary;
  const speed = `${formatCount(summary.filesPerSecond)} files/s, ${formatBytes(summary.bytesPerSecond)}/s`;
  const part = bytes === 0 ? "" : ` (${((100 * gzipBytes) / bytes).toFixed(1)} %)`;
  const lines = [
    `${formatCount(files)} files in ${formatMs(elapsedMs)}: ${speed}, ${formatBytes(summary.peakRssBytes)} of memory`,
    `${formatBytes(bytes)} read, ${formatBytes(gzipBytes)} after gzip${part}`,
    usageLine(summary),
  ];
  if (largest !== null) {
    lines.push(`largest: ${printable(largest.path)}, ${formatBytes(largest.bytes)}`);
    lines.push(`sha256:  ${largest.sha256}`);
  }
  return lines;
}

function usageLine({ usage, elapsedMs }: Summary): string {
  const { threads, cpuMs } = usage;
  const where = threads === null ? "on the event loop" : `${formatCount(threads.started)} threads`;
  return `${where}: ${[`${formatMs(cpuMs)} of CPU in ${formatMs(elapsedMs)}`, ...formatUsage(usage)].join(", ")}`;
}

/** What went wrong with files and folders, where anything did. */
export function complaintLines({
  failed,
  unreadableFolders,
  complaints,
}: Pick<Summary, "failed" | "unreadableFolders" | "complaints">): string[] {
  const all = failed + unreadableFolders;
  if (all === 0) return [];
  const folders = unreadableFolders === 0 ? "" : `, ${formatCount(unreadableFolders)} folders unreadable`;
  const lines = complaints.map(({ path, error }) => `  ${printable(path)}: ${printable(error)}`);
  if (all > complaints.length) lines.push(`  and ${formatCount(all - complaints.length)} more`);
  return ["", `${formatCount(failed)} files failed${folders}:`, ...lines];
}

/** A table of columns alone. */
export const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};
