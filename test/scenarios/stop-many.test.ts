import { getEventListeners, setMaxListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { TaskManager } from "../../src/index.js";
import { untilAborted } from "../support/manual-manager.js";
import { Stubborn } from "../support/observed-manager.js";

/** Timers and immediates of this process, unref'd ones too. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout" || kind === "Immediate").length;
}

describe("X6: many starts and stops at once", () => {
  it("X6: 10 loops of 50 managers that start and stop at once throw nothing and leave nothing", async () => {
    const { signal } = new AbortController();
    setMaxListeners(0, signal); // each manager listens by itself
    const rejections: unknown[] = [];
    const onRejection = (error: unknown) => rejections.push(error);
    process.on("unhandledRejection", onRejection);
    await new Promise((resolve) => setImmediate(resolve));
    const before = resources();
    for (let loop = 0; loop < 10; loop++) {
      const reports = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const tasks = new TaskManager({ signal, killAfterMs: 5, autoStart: index % 7 !== 0 });
          const stubborn = new Stubborn();
          tasks.enqueue(() => index, { signal });
          tasks.enqueue(untilAborted, { signal, ttlMs: 60_000 });
          tasks.enqueue(() => index, { delayMs: 60_000 });
          tasks.enqueue(() => Promise.reject(new Error("fails")), { maxAttempts: 3 });
          tasks.enqueue(stubborn.run);
          if (index % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
          tasks.start();
          const stops = [tasks.stopNow(), tasks.stopGraceful(), tasks.stopNow()];
          if (index % 2 === 0) stops.push(tasks.stopGraceful({ deadlineMs: 5 }));
          const [report, ...others] = await Promise.all(stops);
          expect(new Set([report, ...others]).size).toBe(1);
          stubborn.resolve();
          return report;
        }),
      );
      for (const report of reports) {
        const { alive = 0, durationMs: _, ...parts } = report ?? {};
        expect(alive).toBeGreaterThanOrEqual(4); // the first may have ended before the stop
        expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
      }
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(resources()).toBeLessThanOrEqual(before);
    expect(rejections).toEqual([]);
    process.off("unhandledRejection", onRejection);
  });
});
