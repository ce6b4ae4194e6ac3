import { expect, test } from "vitest";
import { runStoreKills } from "../support/store-kills.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));

test(`F1: a Redis that is killed and comes back has lost no task, and work goes on soon (seed ${SEED})`, {
  timeout: 150_000,
}, async () => {
  const { tasks } = await runStoreKills({ seed: SEED, kills: 2 });
  expect(tasks).toBeGreaterThan(200);
});
