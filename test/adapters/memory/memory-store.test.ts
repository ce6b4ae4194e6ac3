import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryBackend } from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";
import { ModelStore } from "./store-model.js";
import { type Real, storeSteps } from "./store-steps.js";

describe("the store of the memory backend", () => {
  test("does what a list of tasks would do, whatever its clients do (I1, I3, I4, I5, I7)", async () => {
    const steps = { count: 0 };
    await fc.assert(
      fc.asyncProperty(storeSteps, async (commands) => {
        const setup = () => {
          const clock = new ManualClock();
          const backend = memoryBackend({ clock });
          const real: Real = {
            ...{ clients: [backend, backend.connect(), backend.connect()], clock },
            ...{ leases: [], enqueued: [], claimed: [], tokens: new Map(), calls: 0, steps },
          };
          return { model: new ModelStore(clock.wallNow()), real };
        };
        await fc.asyncModelRun(setup, commands);
      }),
      { numRuns: 500 },
    );
    expect(steps.count).toBeGreaterThan(5_000);
  });
});
