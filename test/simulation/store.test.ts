import { expect, test } from "vitest";
import { explore, seedsToPlay, timeToPlay } from "./explore.js";

const { first, count } = seedsToPlay(process.env["CI"] ? 50_000 : 5_000);

test(`M1: with a store that fails, ${count} schedules from seed ${first} on break no rule`, {
  timeout: timeToPlay(count),
}, async () => {
  const { schedules, redeliveries, faults } = await explore(first, count, "store");
  expect(schedules).toBe(count);
  if (count < 1_000) return; // one that is replayed may have none
  expect(faults).toBeGreaterThan(count);
  expect(redeliveries).toBeGreaterThan(count / 20);
});
