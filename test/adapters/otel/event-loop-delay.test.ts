import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { EventLoopDelay } from "../../../src/adapters/otel/event-loop-delay.js";
import { ManualClock } from "../../../src/testing/index.js";

const BLOCK_MS = 200;

function watchLoop() {
  const clock = new ManualClock();
  const delay = new EventLoopDelay(clock);
  onTestFinished(() => delay[Symbol.dispose]());
  const read = (): Record<string, number> => {
    const seen: Record<string, number> = {};
    delay.read((value, attributes) => {
      seen[String(attributes?.["quantile"])] = value;
    });
    return seen;
  };
  return { clock, read };
}

/** Real time, since it is the real event loop that is watched. */
async function blockLoop(): Promise<void> {
  await sleep(30); // the first look
  const until = performance.now() + BLOCK_MS;
  while (performance.now() < until);
  await sleep(30); // the look that comes late
}

describe("the delay of the event loop", () => {
  test("shows a block in its highest quantile, and 0 where none was seen yet", async () => {
    const { read } = watchLoop();
    expect(read()).toEqual({ "0.5": 0, "0.99": 0, "1": 0 });
    await blockLoop();
    const { "0.5": median = 0, "1": highest = 0 } = read();
    expect(highest).toBeGreaterThan((BLOCK_MS - 50) / 1_000);
    expect(highest).toBeGreaterThan(median);
  });

  test("is the same for all who read it, and is not used up by the first", async () => {
    const { clock, read } = watchLoop();
    await blockLoop();
    await clock.advance(15_000);
    const first = read();
    expect(read()["1"]).toBeCloseTo(first["1"] ?? 0, 1); // of a new window, in which nothing was seen yet
    await clock.advance(5_000);
    expect(read()["1"]).toBeCloseTo(first["1"] ?? 0, 1);
  });

  test("is not lost where a collection comes before the timers that it has made late", async () => {
    const { clock, read } = watchLoop();
    await sleep(30);
    await clock.advance(10_000);
    const until = performance.now() + BLOCK_MS;
    while (performance.now() < until);
    read(); // a window is over
    await sleep(30);
    expect(read()["1"]).toBeGreaterThan((BLOCK_MS - 50) / 1_000);
  });

  test("forgets a block when two windows have passed", async () => {
    const { clock, read } = watchLoop();
    await blockLoop();
    for (let window = 0; window < 2; window++) {
      await clock.advance(10_000);
      expect(read()["1"]).toBeGreaterThan((BLOCK_MS - 50) / 1_000);
    }
    await clock.advance(10_000);
    expect(read()["1"]).toBeLessThan((BLOCK_MS - 50) / 1_000);
  });
});
