import { defineHandlers, fixed, json, reschedule, type TaskContext } from "../../src/index.js";
import type { EventfulDay } from "./eventful-day.js";

/** What the shop does, and how it goes wrong. */
export function createShopHandlers(day: EventfulDay) {
  /** Takes a random time, or until it is told to end, and sometimes fails. */
  const work = async ({ signal }: TaskContext, durationMs: number, failing: number) => {
    await pause(durationMs, signal);
    if (day.chance(failing)) throw new Error("the other side has answered with an error");
  };
  return defineHandlers({
    charge: {
      ...{ payload: json<null>(), queue: "critical", maxAttempts: 2, backoff: fixed({ delayMs: 300 }) },
      run: (_, context) => work(context, day.between(15, 60), 0.02),
    },
    ship: {
      ...{ payload: json<null>(), queue: "orders", maxAttempts: 2, backoff: fixed({ delayMs: 400 }) },
      run: (_, context) => work(context, day.between(60, 180), day.isAct("carrierDown") ? 0.7 : 0.03),
    },
    index: {
      ...{ payload: json<null>(), queue: "bulk", timeoutMs: 300 },
      run: async (_, context) => {
        if (day.isAct("hanging") && day.chance(0.1)) await pause(day.durationMs / 5);
        if (day.chance(0.02)) blockEventLoop(day.between(40, 120));
        await work(context, day.between(100, 320), 0.01);
      },
    },
    mail: {
      payload: json<null>(),
      run: async (_, context) => {
        if (day.chance(0.08)) throw reschedule({ delayMs: 500 });
        await work(context, day.between(30, 90), 0.01);
      },
    },
  });
}

/** Resolves when so long has passed, and rejects when the signal aborts before. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function blockEventLoop(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until) {}
}
