import { expect, test } from "vitest";
import { explore, seedsToPlay } from "./explore.js";

const { first, count } = seedsToPlay(process.env["CI"] ? 50_000 : 5_000);

test(`M1: processes: no rule of durable tasks is broken in ${count} schedules from seed ${first} on`, {
  timeout: 60_000 + count * 20,
}, async () => {
  const begun = process.cpuUsage();
  const explored = await explore(first, count, "processes");
  const { user, system } = process.cpuUsage(begun);
  console.log({ ...explored, perCpuSecond: Math.round(count / ((user + system) / 1e6)) });
  expect(explored.schedules).toBe(count);
});
