import { constants } from "node:os";
import { type Checks, callback, duration, expected, readOptions } from "../../task/checks.js";

export interface StopOnSignalsOptions<Report = unknown> {
  /** What the graceful stop is given, in milliseconds. Default 10,000. */
  deadlineMs?: number | undefined;
  /** Signals to listen to. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[] | undefined;
  /** Told of the first signal. */
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
 * Stops a manager when the process is told to end: gracefully at the first signal, at once at the second. It
 * sets `process.exitCode` to 128 + the number of the first signal and never calls `process.exit`: the process
 * ends when nothing else keeps it. The handlers are removed when the stop is done, so that a third signal has
 * its usual effect.
 *
 * @returns removes the handlers before their time
 * @throws {OptionError}
 */
export function stopOnSignals<Report>(
  tasks: Stoppable<Report>,
  options?: StopOnSignalsOptions<Report>,
): Disposable {
  const { deadlineMs, signals, onSignal, onStopped } = read(options);
  let stops = 0;
  const remove = () => {
    for (const signal of signals) process.removeListener(signal, listener);
  };
  const listener = (signal: NodeJS.Signals) => {
    stops++;
    if (stops > 1) {
      void tasks.stopNow();
      return;
    }
    process.exitCode = 128 + constants.signals[signal];
    onSignal?.(signal);
    void tasks
      .stopGraceful({ deadlineMs })
      .then((report) => onStopped?.(report))
      .finally(remove);
  };
  for (const signal of signals) process.on(signal, listener);
  return { [Symbol.dispose]: remove };
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
  const known =
    Array.isArray(value) && value.length > 0 && value.every((one) => Object.hasOwn(constants.signals, one));
  if (!known) throw expected(path, "an array of signal names", value);
  return [...value] as NodeJS.Signals[];
}
