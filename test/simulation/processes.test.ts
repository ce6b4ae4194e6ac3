import { test } from "vitest";
import { expectThorough, explore, seedsToPlay, timeToPlay } from "./explore.js";

const { first, count } = seedsToPlay(4_000);

test(`M1: with processes and networks that fail, ${count} schedules from seed ${first} on break no rule`, {
  timeout: timeToPlay(count),
}, async () => {
  expectThorough(await explore(first, count, "processes"), count);
});
