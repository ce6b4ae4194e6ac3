import { describe, expect, it } from "vitest";
import { visitInPortions } from "../../../src/core/manager/sweep.js";
import { ManualClock } from "../../../src/testing/index.js";
import { newTask } from "../../support/new-task.js";

/** How many visits each turn of the event loop saw. */
async function visitsPerTurn(count: number, clock: ManualClock, visit: () => void): Promise<number[]> {
  const tasks = Array.from({ length: count }, (_, index) => newTask({ number: index + 1 }));
  const turns: number[] = [];
  let visits = 0;
  let before = 0;
  const seen = new Set<number>();
  let on = true;
  const watch = () => {
    turns.push(visits - before);
    before = visits;
    if (on) setImmediate(watch);
  };
  const walk = visitInPortions(tasks, clock, (task) => {
    visits++;
    seen.add(task.number);
    visit();
  });
  watch();
  await walk;
  on = false;
  turns.push(visits - before);
  expect(seen.size).toBe(count);
  expect(visits).toBe(count);
  return turns.filter((turn) => turn > 0);
}

describe("visitInPortions", () => {
  it("visits 1,000 in a turn of the event loop", async () => {
    expect(await visitsPerTurn(3_500, new ManualClock(), () => {})).toEqual([1_000, 1_000, 1_000, 500]);
  });

  it("visits fewer where they take long: 10 ms, looked at each 100 visits", async () => {
    const clock = new ManualClock();
    // 0.07 ms each: 10 ms are over after 143, seen after 200.
    expect(await visitsPerTurn(1_000, clock, () => clock.block(0.07))).toEqual([200, 200, 200, 200, 200]);
  });

  it("is done with few in the turn of the call", async () => {
    expect(await visitsPerTurn(99, new ManualClock(), () => {})).toEqual([99]);
    expect(await visitsPerTurn(0, new ManualClock(), () => {})).toEqual([]);
  });

  it("rejects with what a visit throws", async () => {
    const walk = visitInPortions([newTask()], new ManualClock(), () => {
      throw new Error("broken");
    });
    await expect(walk).rejects.toThrow("broken");
  });
});
