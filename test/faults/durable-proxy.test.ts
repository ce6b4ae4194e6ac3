import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FINAL_RESULTS, FINAL_TASKS, playProxiedScene, type SceneEnd } from "../support/proxied-scene.js";
import { RedisServer } from "../support/redis-server.js";
import type { FaultKind, Frame } from "../support/tcp-proxy.js";

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Redis(server.url);
  await playProxiedScene(server, client, () => undefined); // its scripts are known from here on
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});

function expectSound({ results, tasks, wrong }: SceneEnd): void {
  expect({ results, tasks, wrong }).toEqual({ results: FINAL_RESULTS, tasks: FINAL_TASKS, wrong: [] });
}

/** So many are played at a time: most of the time they wait. */
const AT_A_TIME = 12;

const FAULTS: readonly FaultKind[] = ["cut", "delay", "black-hole", "half-open"];
const KINDS: readonly Frame["kind"][] = ["command", "reply"];

describe("what goes wrong between a manager and its Redis", { timeout: 120_000 }, () => {
  for (const fault of FAULTS) {
    for (const kind of KINDS) {
      test(`${fault} at the n-th ${kind}: for every n the same end`, async () => {
        let [next, explained, last] = [1, 0, Number.POSITIVE_INFINITY];
        const play = async () => {
          for (let n = next++; n < last; n = next++) {
            const choose = (frame: Frame) => (frame.kind === kind && frame.number === n ? fault : undefined);
            const end = await playProxiedScene(server, client, choose);
            expectSound(end);
            explained += end.explained;
            if (end.faults === 0) last = Math.min(last, n);
          }
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, play));
        console.log(`${fault} at ${last - 1} of each ${kind}: ${explained} tasks started again`);
        expect(last).toBeGreaterThan(15);
      });
    }
  }
});
