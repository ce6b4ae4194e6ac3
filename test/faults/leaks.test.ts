import { expect, test } from "vitest";
import { runProgram } from "../support/model-program.js";

interface Leaks {
  readonly before: number;
  readonly after: number;
  readonly enqueued: number;
  readonly ended: number;
  readonly abandoned: number;
  readonly queues: number;
  readonly resources: readonly string[];
}

/** Ten bytes a task would show. The engine's own caches move the base by some hundred kilobytes. */
const MOST_BYTES = 2_000_000;

test("I15: 200,000 tasks of all kinds leave nothing behind", { timeout: 120_000 }, async () => {
  const found = await runProgram<Leaks>("leaks.ts", ["--expose-gc"]);
  expect(found).toMatchObject({ enqueued: 220_000, ended: 220_000, resources: [] });
  expect(found.abandoned).toBeGreaterThan(10_000);
  expect(found.queues).toBe(1); // that of the options: the others were forgotten
  expect(found.after - found.before).toBeLessThan(MOST_BYTES);
});
