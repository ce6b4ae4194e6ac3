import { expect, test } from "vitest";
import { explore, seedsToPlay, timeToPlay } from "../simulation/explore.js";

const { first, count } = seedsToPlay(500_000);

test(`M1: with a store that fails, ${count} schedules from seed ${first} on break no rule`, {
  timeout: timeToPlay(count),
}, async () => {
  const begun = performance.now();
  const explored = await explore(first, count, "store");
  const perSecond = Math.round((count / (performance.now() - begun)) * 1_000);
  console.log(JSON.stringify({ ...explored, perSecond }));
  expect(explored.schedules).toBe(count);
});
