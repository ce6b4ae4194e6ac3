import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { expect } from "vitest";
import { type RedisBackendOptions, redisBackend } from "../../src/adapters/redis/index.js";
import type { BackendSubject } from "../../src/testing/index.js";
import { crowding } from "./crowding.js";
import { auditRedis } from "./redis-audit.js";

/**
 * Redis as the conformance suite looks at it: each store has a prefix of its own, which is audited at the end.
 * @param address how the backend is told where Redis is
 * @param client for the audit
 */
export function redisSubject(
  address: Pick<RedisBackendOptions, "url" | "client">,
  client: Redis,
): BackendSubject {
  return {
    leaseMs: Math.ceil(400 * Math.min(crowding(), 4)),
    open: ({ deadLetters }) => {
      const prefix = `test-${randomUUID()}`;
      return {
        connect: () => redisBackend({ ...address, prefix, deadLetters }),
        advanceTime: (ms) => delay(ms),
        close: async () => expect(await auditRedis(client, prefix)).toEqual([]),
      };
    },
  };
}
