import { afterEach, describe, expect, it, vi } from "vitest";
import { type Stoppable, stopOnSignals } from "../../../src/adapters/system/stop-on-signals.js";
import { OptionError } from "../../../src/errors.js";
import { Stubborn } from "../../support/observed-manager.js";

/** Signals that Node does not act on by itself, so that nothing of the test runner hears of them. */
const ONE = "SIGUSR2";
const TWO = "SIGWINCH";
const signals = [ONE, TWO] as const;

const { exitCode } = process;
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = exitCode;
});

/** Something to stop that notes how it was. */
function createStoppable() {
  const calls: string[] = [];
  const stopped = new Stubborn<string>();
  const tasks: Stoppable<string> = {
    stopGraceful: ({ deadlineMs }) => {
      calls.push(`graceful ${deadlineMs}`);
      return stopped.promise;
    },
    stopNow: () => {
      calls.push("now");
      return stopped.promise;
    },
  };
  return { calls, stopped, tasks };
}

const emit = (signal: NodeJS.Signals) => process.emit(signal, signal);
const count = () => signals.reduce((sum, signal) => sum + process.listenerCount(signal), 0);

describe("stopOnSignals", () => {
  it("stops gracefully at the first signal, at once at another one, and sets the first one's exit code", () => {
    const { calls, tasks } = createStoppable();
    const heard: string[] = [];
    const handlers = stopOnSignals(tasks, {
      signals,
      deadlineMs: 5,
      onSignal: (signal) => heard.push(signal),
    });
    expect(calls).toEqual([]);
    emit(ONE);
    expect([calls, heard, process.exitCode]).toEqual([["graceful 5"], [ONE], 128 + 12]);
    emit(TWO);
    emit(TWO);
    expect([calls, heard, process.exitCode]).toEqual([["graceful 5", "now", "now"], [ONE], 128 + 12]);
    handlers[Symbol.dispose]();
  });

  it("tells of the signal before it stops, and stops also where that throws", () => {
    const { calls, tasks } = createStoppable();
    const seen: string[][] = [];
    const handlers = stopOnSignals(tasks, {
      signals,
      onSignal: () => {
        seen.push([...calls]);
        throw new Error("from onSignal");
      },
    });
    expect(() => emit(ONE)).toThrow("from onSignal");
    expect([seen, calls]).toEqual([[[]], ["graceful 10000"]]);
    handlers[Symbol.dispose]();
  });

  it("refuses what is no manager at once, not when the signal comes", () => {
    for (const none of [undefined, null, {}, { stopGraceful: () => Promise.resolve() }])
      expect(() => stopOnSignals(none as never, { signals })).toThrow(OptionError);
  });

  it("takes the same signal for an echo within 250 ms, for a second one after that", () => {
    const { calls, tasks } = createStoppable();
    const now = vi.spyOn(performance, "now").mockReturnValue(1_000);
    const handlers = stopOnSignals(tasks, { signals });
    emit(ONE);
    now.mockReturnValue(1_249);
    emit(ONE);
    expect(calls).toEqual(["graceful 10000"]);
    now.mockReturnValue(1_250);
    emit(ONE);
    expect(calls).toEqual(["graceful 10000", "now"]);
    handlers[Symbol.dispose]();
  });

  it("gives the report, then removes its handlers", async () => {
    const before = count();
    const { stopped, tasks } = createStoppable();
    const reports: string[] = [];
    stopOnSignals(tasks, { signals, onStopped: (report) => reports.push(report) });
    expect(count()).toBe(before + 2);
    vi.spyOn(performance, "now").mockReturnValueOnce(performance.now() - 1_000);
    emit(ONE);
    stopped.resolve("the report");
    await vi.waitUntil(() => count() === before);
    expect(reports).toEqual(["the report"]);
  });

  it("can be disposed of before any signal, and does nothing then", () => {
    const before = count();
    const { tasks } = createStoppable();
    const handlers = stopOnSignals(tasks, { signals });
    handlers[Symbol.dispose]();
    handlers[Symbol.dispose]();
    expect(count()).toBe(before);
  });

  it("listens to SIGTERM and SIGINT where it is told nothing else", () => {
    const listeners = () => [process.listenerCount("SIGTERM"), process.listenerCount("SIGINT")];
    const before = listeners();
    const handlers = stopOnSignals(createStoppable().tasks);
    expect(listeners()).toEqual(before.map((each) => each + 1));
    handlers[Symbol.dispose]();
    expect(listeners()).toEqual(before);
  });

  it("refuses wrong options and adds no handler", () => {
    const before = count();
    const { tasks } = createStoppable();
    const wrong = [
      ...[{ deadlineMs: -1 }, { signals: [] }, { signals: ["SIGNONE"] }, { signals: "SIGTERM" }],
      ...[{ signals: ["SIGTERM", "SIGKILL"] }, { signals: ["SIGSTOP"] }],
      ...[{ signals: ["toString"] }, { onSignal: 5 }, { onStoped: () => 1 }],
    ];
    for (const options of wrong) expect(() => stopOnSignals(tasks, options as object)).toThrow(OptionError);
    expect(count()).toBe(before);
  });
});
