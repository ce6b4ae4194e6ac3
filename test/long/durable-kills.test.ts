import { expect, test } from "vitest";
import { RedisServer } from "../support/redis-server.js";
import { runStoreKills } from "../support/store-kills.js";
import { runWorkerFreezes, runWorkerKills } from "../support/worker-kills.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));
const FOR_MS = Number(process.env["MILLRACE_KILLS_MS"] ?? 300_000);

test(`K1: worker processes are killed for ${FOR_MS} ms (seed ${SEED})`, {
  timeout: FOR_MS + 300_000,
}, async () => {
  await using server = await RedisServer.start();
  const { kills } = await runWorkerKills({ server, seed: SEED, forMs: FOR_MS });
  expect(kills).toBeGreaterThan(FOR_MS / 3_000);
});

test(`F1: Redis is killed twenty times (seed ${SEED})`, { timeout: 600_000 }, async () => {
  await runStoreKills({ seed: SEED, kills: 20 });
});

test(`K6: processes stand still again and again (seed ${SEED})`, { timeout: 600_000 }, async () => {
  await using server = await RedisServer.start();
  const { leaseLost } = await runWorkerFreezes({ server, seed: SEED, rounds: 10 });
  expect(leaseLost).toBeGreaterThan(10);
});
