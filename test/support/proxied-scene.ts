import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { redisBackend } from "../../src/adapters/redis/index.js";
import {
  DuplicateTaskError,
  defineHandlers,
  fixed,
  json,
  StoreFullError,
  StoreRefusedError,
  StoreUnreachableError,
  TaskManager,
} from "../../src/index.js";
import { auditRedis } from "./redis-audit.js";
import type { RedisServer } from "./redis-server.js";
import { type ChooseFault, TcpProxy } from "./tcp-proxy.js";

/** What has become of the scene, and what it took. */
export interface SceneEnd {
  /** Faults that it met. */
  readonly faults: number;
  /** Commands that Redis was sent. */
  readonly commands: number;
  /** How each task ended, and in how many attempts, as the store has it. */
  readonly tasks: readonly string[];
  /** What `result()` told. */
  readonly results: readonly string[];
  /** Starts that nothing explains, complaints of the audit, a stop that took too long. */
  readonly wrong: readonly string[];
  /** Starts beyond those that there are without a fault, by tasks whose end was not confirmed in time. */
  readonly explained: number;
}

const LEASE_MS = 1_000;
const COMMAND_TIMEOUT_MS = 150;
const STOP_MS = 2_000;

/** Ids and handlers, and how often each is started where nothing goes wrong. */
const TASKS = [
  { id: "first", handler: "works", starts: 1 },
  { id: "second", handler: "fails once", starts: 2 },
  { id: "third", handler: "fails", starts: 1 },
] as const;

const NAMES = { works: "works", "fails once": "failsOnce", fails: "fails" } as const;

/** What every run comes to, whatever goes wrong on the way. */
export const FINAL_TASKS = ["first completed 1", "second completed 2", "third failed 1"];
export const FINAL_RESULTS = ["1", "2", "Error: as it always does"];

/**
 * Three tasks of a manager that reaches Redis through a proxy only: one that works, one that works at its second
 * attempt, and one that becomes a dead letter.
 */
export async function playProxiedScene(
  server: RedisServer,
  client: Redis,
  choose: ChooseFault,
): Promise<SceneEnd> {
  await using proxy = await TcpProxy.start(server.port, choose);
  const prefix = `proxied-${randomUUID()}`;
  const starts = new Map<string, number>();
  const excuses = new Map<string, number>();
  const count = (counts: Map<string, number>, id: string) => void counts.set(id, (counts.get(id) ?? 0) + 1);
  const excuse = ({ id }: { readonly id: string }) => count(excuses, id);
  const tasks = new TaskManager({
    ...{ handlers: sceneHandlers((id) => count(starts, id)), leaseMs: LEASE_MS, killAfterMs: 100 },
    backend: redisBackend({ url: proxy.url, prefix, commandTimeoutMs: COMMAND_TIMEOUT_MS }),
    hooks: { onLeaseLost: excuse, onAckUnknown: excuse, onInterrupted: excuse },
  });
  const results = await Promise.all(
    TASKS.map(async ({ id, handler }) => {
      const full = await keepEnqueueing(() => tasks.enqueueDurable(NAMES[handler], null, { id }), id);
      const result = tasks.handle(NAMES[handler], full).result({ timeoutMs: 30_000 });
      return result.then(String, (error: unknown) => String(error));
    }),
  );
  const wrong: string[] = [];
  const { durationMs } = await tasks.stopGraceful({ deadlineMs: STOP_MS });
  if (durationMs > STOP_MS + 250) wrong.push(`the stop took ${durationMs} ms`);
  let explained = 0;
  for (const { id, starts: expected } of TASKS) {
    const more = (starts.get(`default:${id}`) ?? 0) - expected;
    const excused = excuses.get(`default:${id}`) ?? 0;
    if (more < 0 || more > excused) wrong.push(`${id} was started ${more} times more, ${excused} excused`);
    explained += more;
  }
  const found = await readAll(server, prefix);
  wrong.push(...(await auditRedis(client, prefix)));
  return { faults: proxy.faults, commands: proxy.counts.command, tasks: found, results, wrong, explained };
}

function sceneHandlers(started: (id: string) => void) {
  const payload = json<null>();
  return defineHandlers({
    works: {
      payload,
      run: (_, { attempt, id }): number => {
        started(id);
        return attempt;
      },
    },
    failsOnce: {
      payload,
      maxAttempts: 5,
      backoff: fixed({ delayMs: 10 }),
      run: (_, { attempt, id }): number => {
        started(id);
        if (attempt === 1) throw new Error("as it does once");
        return attempt;
      },
    },
    fails: {
      payload,
      maxAttempts: 1,
      run: (_, { id }): number => {
        started(id);
        throw new Error("as it always does");
      },
    },
  });
}

const STORE_ERRORS = [StoreUnreachableError, StoreFullError, StoreRefusedError];

/** As a careful caller does: again under the same id, until the store has said that it has the task. */
async function keepEnqueueing(enqueue: () => Promise<{ id: string }>, id: string): Promise<string> {
  for (;;) {
    try {
      return (await enqueue()).id;
    } catch (error) {
      if (error instanceof DuplicateTaskError) return `default:${id}`;
      if (!STORE_ERRORS.some((type) => error instanceof type)) throw error;
    }
    await delay(20);
  }
}

async function readAll(server: RedisServer, prefix: string): Promise<readonly string[]> {
  const backend = redisBackend({ url: server.url, prefix });
  const found = await backend.inspector.read(TASKS.map(({ id }) => `default:${id}`));
  await backend.close();
  return TASKS.map(({ id }, index) => `${id} ${found[index]?.outcome?.state} ${found[index]?.attempts}`);
}
