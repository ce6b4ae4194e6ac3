import { expect, test } from "vitest";
import { InlineExecutor } from "../../../src/adapters/inline/inline-executor.js";
import { Batch } from "../../../src/core/manager/batch.js";
import { Lane } from "../../../src/core/manager/lane.js";

test("a batch takes one slot with its first attempt, and gives it back with its last", () => {
  const lane = new Lane(0, new InlineExecutor(), 4, 2);
  const batch = new Batch(lane);
  const used = () => lane.running;
  batch.join();
  batch.join();
  expect(used()).toBe(1);
  batch.leave();
  expect(used()).toBe(1);
  batch.leave();
  expect(used()).toBe(0);
  batch.join();
  expect(used()).toBe(1);
});

test("a lane that its pool has closed is open again when a slot is given back", () => {
  const lane = new Lane(0, new InlineExecutor(), 4, 2);
  lane.take();
  lane.full = true;
  expect([lane.open, lane.free]).toEqual([false, 3]);
  lane.giveBack();
  expect([lane.open, lane.free]).toEqual([true, 4]);
});
