import { afterAll, beforeAll, expect, test } from "vitest";
import { RedisServer } from "../support/redis-server.js";
import { runWorkerFreezes, runWorkerKills } from "../support/worker-kills.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
}, 150_000);

afterAll(() => server[Symbol.asyncDispose]());

test(`K1: worker processes that are killed lose no task, and explain each that ran twice (seed ${SEED})`, {
  timeout: 150_000,
}, async () => {
  const { kills, tasks } = await runWorkerKills({ server, seed: SEED, forMs: 30_000 });
  expect(kills).toBeGreaterThan(10);
  expect(tasks).toBeGreaterThan(1_000);
});

test(`K6: a process that stands still for three leases loses them, and can change nothing more (seed ${SEED})`, {
  timeout: 60_000,
}, async () => {
  const { leaseLost } = await runWorkerFreezes({ server, seed: SEED, rounds: 1 });
  expect(leaseLost).toBeGreaterThan(0);
});
