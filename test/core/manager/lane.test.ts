import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InlineExecutor } from "../../../src/adapters/inline/inline-executor.js";
import { Lane } from "../../../src/core/manager/lane.js";

describe("Lane", () => {
  it("holds a slot for each abandoned attempt beyond maxAbandoned", () => {
    const lane = new Lane(0, new InlineExecutor(), 4, 2);
    const slots = (abandoned: number, running = 0) => {
      Object.assign(lane, { abandoned, running });
      return { held: lane.held, free: lane.free, open: lane.open };
    };
    expect(slots(0)).toEqual({ held: 0, free: 4, open: true });
    expect(slots(2)).toEqual({ held: 0, free: 4, open: true });
    expect(slots(3)).toEqual({ held: 1, free: 3, open: true });
    expect(slots(3, 3)).toEqual({ held: 1, free: 0, open: false });
    expect(slots(9)).toEqual({ held: 7, free: 0, open: false });
  });

  it("takes concurrency for maxAbandoned where none is given, as it is at the moment", () => {
    const lane = new Lane(0, new InlineExecutor(), 4, undefined);
    expect(lane.maxAbandoned).toBe(4);
    lane.concurrency = 2;
    expect(lane.maxAbandoned).toBe(2);
    expect(new Lane(0, new InlineExecutor(), 4, 0).maxAbandoned).toBe(0);
  });

  it("is open exactly while a slot is free, and never has fewer than none", () => {
    const count = fc.integer({ min: 0, max: 10 });
    fc.assert(
      fc.property(count, count, count, count, (concurrency, running, abandoned, maxAbandoned) => {
        const lane = new Lane(0, new InlineExecutor(), concurrency, maxAbandoned);
        Object.assign(lane, { running, abandoned });
        expect(lane.open).toBe(lane.free > 0);
        expect(lane.free).toBe(Math.max(0, concurrency - running - Math.max(0, abandoned - maxAbandoned)));
      }),
    );
  });
});
