import { MultiBar, Presets } from "cli-progress";
import { formatBytes, formatCount } from "./format.ts";

/** How far the work has come. */
export interface Progress {
  readonly ended: number;
  /** Files that there are, as far as they have been counted. */
  readonly total: number;
  readonly bytes: number;
  readonly elapsedMs: number;
  /** A second line: who is busy with it. */
  readonly detail: string;
}

/** What is shown while the work goes on. */
export interface ProgressDisplay {
  /** Writes a line of its own, without spoiling the bar. */
  say(line: string): void;
  stop(): void;
}

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 2_000;

/** Shows progress on stderr: a live bar on a terminal, with the second line below, else plain lines now and then. */
export function showProgress(read: () => Progress): ProgressDisplay {
  return process.stderr.isTTY ? showBar(read) : showLines(read);
}

function showLines(read: () => Progress): ProgressDisplay {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const show = () => {
    const progress = read();
    say(toLine(progress));
    say(toDetailLine(progress));
  };
  const timer = setInterval(show, LINE_EVERY_MS);
  return {
    say,
    stop: () => {
      clearInterval(timer);
      show();
    },
  };
}

function showBar(read: () => Progress): ProgressDisplay {
  let bars = startBars(read());
  const timer = setInterval(() => bars.update(read()), BAR_EVERY_MS);
  return {
    say: (line) => {
      bars.stop();
      process.stderr.write(`${line}\n`);
      bars = startBars(read());
    },
    stop: () => {
      clearInterval(timer);
      bars.update(read());
      bars.stop();
      process.stderr.write("\n"); // sets apart what follows
    },
  };
}

function startBars(progress: Progress) {
  const { total, ended } = progress;
  // Signals are for the program to handle; it stops the bars at its end.
  const options = { barsize: 18, hideCursor: true, gracefulExit: false };
  const bars = new MultiBar(options, Presets.shades_classic);
  const files = bars.create(total, ended, { line: toLine(progress) }, { format: " {bar} {line}" });
  const detail = bars.create(1, 0, { line: toDetailLine(progress) }, { format: "  {line}" });
  return {
    update: (now: Progress) => {
      files.setTotal(now.total);
      files.update(now.ended, { line: toLine(now) });
      detail.update(0, { line: toDetailLine(now) });
    },
    stop: () => bars.stop(),
  };
}

function toDetailLine({ detail }: Progress): string {
  return `    ${detail}`;
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
