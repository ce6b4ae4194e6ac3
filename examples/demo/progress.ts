import { Presets, SingleBar } from "cli-progress";
import { formatBytes, formatCount } from "./format.ts";

/** How far the work has come. */
export interface Progress {
  readonly ended: number;
  /** Files that there are, as far as they have been counted. */
  readonly total: number;
  readonly bytes: number;
  readonly elapsedMs: number;
}

/** What is shown while the work goes on. */
export interface ProgressDisplay {
  /** Writes a line of its own, without spoiling the bar. */
  say(line: string): void;
  stop(): void;
}

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 2_000;

/** Shows progress on stderr: a live bar on a terminal, else a plain line every two seconds. */
export function showProgress(read: () => Progress): ProgressDisplay {
  return process.stderr.isTTY ? showBar(read) : showLines(read);
}

function showLines(read: () => Progress): ProgressDisplay {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const timer = setInterval(() => say(toLine(read())), LINE_EVERY_MS);
  return {
    say,
    stop: () => {
      clearInterval(timer);
      say(toLine(read()));
    },
  };
}

function showBar(read: () => Progress): ProgressDisplay {
  let bar = startBar(read());
  const update = () => {
    const progress = read();
    bar.setTotal(progress.total);
    bar.update(progress.ended, { line: toLine(progress) });
  };
  const timer = setInterval(update, BAR_EVERY_MS);
  return {
    say: (line) => {
      bar.stop();
      process.stderr.write(`${line}\n`);
      bar = startBar(read());
    },
    stop: () => {
      clearInterval(timer);
      update();
      bar.stop();
      process.stderr.write("\n"); // sets apart what follows
    },
  };
}

function startBar(progress: Progress): SingleBar {
  const format = " {bar} {line}";
  const bar = new SingleBar({ format, barsize: 18, hideCursor: true }, Presets.shades_classic);
  bar.start(progress.total, progress.ended, { line: toLine(progress) });
  return bar;
}

function toLine({ ended, total, bytes, elapsedMs }: Progress): string {
  const percent = total === 0 ? 100 : Math.floor((100 * ended) / total);
  const perSecond = ended / (elapsedMs / 1_000);
  const parts = [
    `${percent}%`.padStart(4),
    `${formatCount(ended)} of ${formatCount(total)} files`,
    formatBytes(bytes),
    `${formatCount(perSecond)} files/s`,
  ];
  const left = Math.ceil((total - ended) / perSecond);
  if (elapsedMs > 1_000 && left > 0 && Number.isFinite(left)) parts.push(`${formatCount(left)} s left`);
  return parts.join("  ");
}
