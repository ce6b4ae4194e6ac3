import { constants } from "node:os";
import { type Checks, callback, duration, expected, having, readOptions } from "../../task/checks.js";

/** Which signals stop a manager, and how long that may take. */
export interface StopOnSignalsOptions<Report = unknown> {
  /** What the graceful stop is given, in milliseconds. Default 10,000. */
  deadlineMs?: number | undefined;
  /** Signals to listen to. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[] | undefined;
  /** Told of the first signal, before the stop begins: here `tasks.pause()` makes it drop what waits. */
  onSignal?: ((signal: NodeJS.Signals) => void) | undefined;
  /** Given the report when the stop is done. */
  onStopped?: ((report: Report) => void) | undefined;
}

/** What can be stopped: a TaskManager. */
export interface Stoppable<Report = unknown> {
  stopGraceful(options: { deadlineMs: number }): Promise<Report>;
  stopNow(): Promise<Report>;
}

/**
 * One Ctrl-C can come twice: the terminal signals every process in the foreground, and npm, being one of
 * them, passes its copy on to its child. The same signal again within this time is taken for that.
 */
const ECHO_MS = 250;

/** These end or halt a process without its doing. */
const UNHEARD: ReadonlySet<unknown> = new Set(["SIGKILL", "SIGSTOP"]);

/**
 * Stops a manager when the process is told to end: gracefully at the first signal, at once at the second. The
 * same signal within a quarter of a second of the first does not count as a second one: `npm start` passes
 * Ctrl-C on to a child that the terminal has signalled too. It sets `process.exitCode` to 128 + the number of
 * the first signal and never calls `process.exit`: the process ends when nothing else keeps it. The handlers
 * are removed when the stop is done and that time is over, so that a later signal has its usual effect.
 *
 * @returns removes the handlers; to be used where you stop the manager yourself and the process lives on
 * @throws {OptionError}
 */
export function stopOnSignals<Report>(
  tasks: Stoppable<Report>,
  options?: StopOnSignalsOptions<Report>,
): Disposable {
  const manager = stoppable<Report>(tasks, "tasks");
  const { deadlineMs, signals, onSignal, onStopped } = read(options);
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const remove = () => {
    for (const signal of signals) process.removeListener(signal, listener);
  };
  const listener = (signal: NodeJS.Signals) => {
    const now = performance.now();
    if (first !== undefined) {
      const isEcho = signal === first.signal && now - first.at < ECHO_MS;
      if (!isEcho) void manager.stopNow();
      return;
    }
    first = { signal, at: now };
    process.exitCode = 128 + constants.signals[signal];
    try {
      onSignal?.(signal);
    } finally {
      stop(now); // also where that has thrown
    }
  };
  const stop = (signalledAt: number) => {
    void manager
      .stopGraceful({ deadlineMs })
      .then((report) => onStopped?.(report))
      .finally(() => setTimeout(remove, Math.max(0, signalledAt + ECHO_MS - performance.now())).unref());
  };
  for (const signal of signals) process.on(signal, listener);
  return { [Symbol.dispose]: remove };
}

function stoppable<Report>(tasks: unknown, path: string): Stoppable<Report> {
  return having<Stoppable<Report>>("a task manager", "stopGraceful", "stopNow")(tasks, path);
}

function read<Report>(options: StopOnSignalsOptions<Report> | undefined) {
  const checks: Checks<StopOnSignalsOptions<Report>> = {
    deadlineMs: duration(0),
    signals: signalNames,
    onSignal: callback(),
    onStopped: callback(),
  };
  const checked = readOptions<StopOnSignalsOptions<Report>>("", options, checks);
  const { deadlineMs = 10_000, signals = ["SIGTERM", "SIGINT"], onSignal, onStopped } = checked;
  return { deadlineMs, signals, onSignal, onStopped };
}

function signalNames(value: unknown, path: string): readonly NodeJS.Signals[] {
  const isHeard = (name: unknown) => Object.hasOwn(constants.signals, name as string) && !UNHEARD.has(name);
  if (!Array.isArray(value) || value.length === 0 || !value.every(isHeard))
    throw expected(path, "an array of names of signals that a process can hear, which SIGKILL is not", value);
  return [...value] as NodeJS.Signals[];
}
