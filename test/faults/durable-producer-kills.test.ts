import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../src/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { startChild } from "../support/child-process.js";
import { auditRedis } from "../support/redis-audit.js";
import { RedisServer } from "../support/redis-server.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));
const PROGRAM = fileURLToPath(new URL("../fixtures/durable/batches.mjs", import.meta.url));
const KILLS = 6;
const SIZE = 500;

/** A batch may be under way for so long; a kill comes at any time of it. */
const BATCH_MS = 30;

test(`K3: a producer that is killed in a batch has lost none that was acknowledged, and makes it again (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  await using server = await RedisServer.start();
  const client = new Redis(server.url);
  const random = seededRandom(SEED);
  let cut = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const prefix = `killed-${kill}`;
    const producer = startChild([process.execPath, PROGRAM, server.url, prefix, String(SIZE)]);
    await producer.hasWritten("sends 2");
    await delay(BATCH_MS * random.next());
    producer.process.kill("SIGKILL");
    const { signal, stdout } = await producer.ended;
    expect(signal).toBe("SIGKILL");
    const batches = (word: string) => stdout.match(new RegExp(`^${word} \\d+$`, "gm"))?.length ?? 0;
    const [sent, kept] = [batches("sends"), batches("kept")];
    const backend = redisBackend({ url: server.url, prefix });
    const handlers = defineHandlers({ work: { payload: json<string>() } });
    const tasks = new TaskManager({ handlers, backend, consume: false, capacity: 100_000 });
    const ready = async () => (await backend.inspector.counts(["default"]))[0]?.ready ?? 0;
    const found = await ready();
    expect(found).toBeGreaterThanOrEqual(kept * SIZE);
    expect(found).toBeLessThanOrEqual(sent * SIZE);
    if (found > kept * SIZE) cut++;
    for (let batch = 0; batch < sent; batch++) {
      const again = await tasks.enqueueDurableMany(
        Array.from({ length: SIZE }, (_, n) => {
          const idempotencyKey = `${batch}.${n}`;
          return ["work", idempotencyKey, { idempotencyKey }] as const;
        }),
      );
      const known = again.filter(({ duplicate }) => duplicate).length;
      if (batch < kept) expect(known).toBe(SIZE);
    }
    expect(await ready()).toBe(sent * SIZE);
    await tasks.stopNow();
    expect(await auditRedis(client, prefix)).toEqual([]);
  }
  console.log(`${cut} of ${KILLS} batches were kept, wholly or in part, and never acknowledged`);
  client.disconnect();
});
