import type { Percentiles } from "./histogram.ts";
import type { Usage } from "./usage.ts";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 });

export function formatCount(value: number): string {
  return whole.format(Number.isFinite(value) ? value : 0);
}

/** A size in units of thousands, as disks are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${whole.format(bytes)} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let size = bytes / 1_000;
  while (size >= 999.95 && units.length > 1) {
    size /= 1_000;
    units.shift();
  }
  return `${oneDigit.format(size)} ${units[0]}`;
}

/** A duration with its unit: milliseconds, or seconds where there are many. */
export function formatMs(durationMs: number): string {
  const inSeconds = durationMs >= 1_000;
  const value = inSeconds ? durationMs / 1_000 : durationMs;
  return `${(value < 10 ? oneDigit : whole).format(value)} ${inSeconds ? "s" : "ms"}`;
}

/** Three durations, each with its unit: `1.2ms 84ms 3.1s`. */
export function formatPercentiles(percentiles: Percentiles | null): string {
  if (percentiles === null) return "-";
  const { p50, p95, p99 } = percentiles;
  return [p50, p95, p99].map((each) => formatMs(each).replace(" ", "")).join(" ");
}

/** How busy threads and cores have been: `97 % of their time`, `1.9 cores busy`. */
export function formatUsage({ threads, coresBusy }: Usage): string[] {
  const part = threads === null ? [] : [`${whole.format(100 * threads.utilisation)} % of their time`];
  return [...part, `${oneDigit.format(coresBusy)} cores busy`];
}

/** The same, and how many of the threads are busy at this moment. */
export function formatUsageNow(usage: Usage): string {
  const { threads } = usage;
  const busy = threads === null ? [] : [`${threads.busy} of ${threads.alive} threads busy now`];
  return [...busy, ...formatUsage(usage)].join(", ");
}

/** Text for people: the name of a file may hold what moves the cursor of a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
