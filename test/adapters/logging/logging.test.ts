import { describe, expect, it } from "vitest";
import {
  cancelTask,
  fixed,
  type Logger,
  type LoggingOptions,
  logging,
  OptionError,
  rateLimited,
  reschedule,
  skipRetry,
} from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { thrownBy, untilAborted } from "../../support/manual-manager.js";
import {
  type ObservedManager,
  type ObservedOptions,
  observeManager,
  Stubborn,
} from "../../support/observed-manager.js";

function logManager(
  options: ObservedOptions = {},
  { errors }: LoggingOptions = {},
): { manager: ObservedManager; log: LogRecorder } {
  const [clock, log] = [new ManualClock(), new LogRecorder()];
  const manager = observeManager({ ...options, clock, middleware: [logging(log, { clock, errors })] });
  return { manager, log };
}

describe("logging", () => {
  it("logs the start of an attempt and its completion, with how long it ran", async () => {
    const { manager, log } = logManager();
    const handler = new Stubborn<string>();
    const handle = manager.enqueue(handler.run, { queue: "mail", name: "digest", metadata: { secret: "s" } });
    await manager.clock.advance(25);
    handler.resolve("a value");
    expect(await handle.result()).toBe("a value");
    const fields = { task: handle.id, name: "digest", queue: "mail", attempt: 1 };
    expect(log.entries).toEqual([
      ["debug", "attempt started", fields],
      ["info", "attempt completed", { ...fields, runMs: 25 }],
    ]);
  });

  it("warns of a failure while attempts are left, and calls the last one an error", async () => {
    const { manager, log } = logManager({ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) });
    const failure = new RangeError("by the handler");
    const handle = manager.enqueue(() => Promise.reject(failure));
    await manager.clock.advance(10);
    expect(handle.state).toBe("failed");
    const fields = { task: handle.id, queue: "default", runMs: 0, errorType: "RangeError" };
    expect(log.entries.filter(([level]) => level !== "debug")).toEqual([
      ["warn", "attempt failed", { ...fields, attempt: 1 }],
      ["error", "attempt failed", { ...fields, attempt: 2 }],
    ]);
  });

  it("tells how a handler steers", async () => {
    const { manager, log } = logManager({ maxAttempts: 3 });
    const steer = (thrown: unknown) => {
      let steered = false;
      manager.enqueue(() => {
        if (steered) return;
        steered = true;
        throw thrown;
      });
    };
    steer(reschedule({ delayMs: 5 }));
    steer(rateLimited({ retryAfterMs: 6 }));
    steer(cancelTask("not needed"));
    steer(skipRetry(new RangeError("never")));
    await manager.clock.settle();
    expect(
      log.entries
        .slice(-4)
        .map(([level, text, { task, runMs, queue, attempt, ...rest }]) => [level, text, rest]),
    ).toEqual([
      ["info", "attempt rescheduled", { delayMs: 5 }],
      ["info", "attempt rate-limited", { delayMs: 6 }],
      ["info", "attempt cancelled its task", {}],
      ["error", "attempt failed for good", { errorType: "RangeError" }],
    ]);
    await manager.clock.advance(6);
  });

  it("tells errors and reasons whole where it is asked to", async () => {
    const { manager, log } = logManager({}, { errors: "whole" });
    const failure = new RangeError("by the handler");
    manager.enqueue(() => Promise.reject(failure));
    manager.enqueue(() => Promise.reject(cancelTask("not needed")));
    manager.enqueue(() => Promise.reject(undefined));
    await manager.clock.settle();
    const told = log.entries.slice(-3).map(([, , { task, runMs, queue, attempt, ...rest }]) => rest);
    expect(told).toEqual([
      { errorType: "RangeError", err: failure },
      { reason: "not needed" },
      { errorType: "undefined", err: undefined },
    ]);
  });

  it("tells an abort by its cause, whatever the handler did after it", async () => {
    const { manager, log } = logManager({
      maxAttempts: 2,
      backoff: fixed({ delayMs: 1 }),
      killAfterMs: 1_000,
    });
    const returning = ({ signal }: { readonly signal: AbortSignal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve("too late")));
    manager.enqueue(returning, { timeoutMs: 10, maxAttempts: 1 });
    manager.enqueue(untilAborted, { timeoutMs: 20 });
    manager.enqueue(untilAborted, { ttlMs: 30 });
    manager.enqueue(untilAborted, { id: "mine" });
    await manager.clock.advance(50);
    await manager.cancel("mine", "why");
    manager.enqueue(untilAborted);
    manager.enqueue(returning);
    await manager.clock.settle();
    await manager.stopNow();
    expect(log.ends).toEqual([
      "error: attempt timed out",
      "warn: attempt timed out",
      "error: attempt met the deadline",
      "error: attempt timed out",
      "info: attempt cancelled",
      "info: attempt completed",
      "info: attempt stopped",
    ]);
  });

  it("logs nothing below its level", async () => {
    const [clock, log] = [new ManualClock(), new LogRecorder()];
    const middleware = [logging(log, { clock, level: "warn" })];
    const manager = observeManager({ clock, middleware, maxAttempts: 2, backoff: fixed({ delayMs: 0 }) });
    await manager.enqueue(() => 1).result();
    await manager.enqueue(({ attempt }) => (attempt === 1 ? Promise.reject(new Error("once")) : 1)).result();
    expect(log.entries.map(([level]) => level)).toEqual(["warn"]);
  });

  it("changes nothing where the logger throws, rejects, or never answers", async () => {
    const rejecting = async () => {
      throw new Error("no disk");
    };
    const logger: Logger = {
      debug: () => {
        throw new Error("a logger that throws");
      },
      info: rejecting,
      warn: rejecting,
      error: () => new Promise(() => {}),
    };
    const manager = observeManager({
      middleware: [logging(logger)],
      maxAttempts: 2,
      backoff: fixed({ delayMs: 0 }),
    });
    expect(await manager.enqueue(() => "value").result()).toBe("value");
    const failing = manager.enqueue(() => Promise.reject(new RangeError("always")));
    await expect(failing.result()).rejects.toThrow(RangeError);
    await manager.clock.settle(); // Vitest fails a run in which a rejection stays unhandled
  });

  it("refuses what is no logger, and options that it does not know", () => {
    expect(thrownBy(() => logging({ info: () => {} } as never))).toMatchObject({ option: "logger" });
    expect(thrownBy(() => logging(console, { level: "loud" as never }))).toMatchObject({ option: "level" });
    expect(thrownBy(() => logging(console, { errors: "all" as never }))).toMatchObject({ option: "errors" });
    expect(thrownBy(() => logging(console, { clock: {} as never }))).toBeInstanceOf(OptionError);
    expect(thrownBy(() => logging(console, { lvl: "info" } as never))).toMatchObject({ option: "lvl" });
    expect(logging(console)).toMatchObject({ name: "logging" });
  });
});
