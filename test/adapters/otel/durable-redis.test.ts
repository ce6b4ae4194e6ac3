import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import { redisBackend } from "../../../src/adapters/redis/index.js";
import {
  type AnyHandlers,
  defineHandlers,
  json,
  StoreUnreachableError,
  TaskManager,
  type TaskManagerOptions,
} from "../../../src/index.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { RedisServer } from "../../support/redis-server.js";
import { ScrapedProvider } from "../../support/scrape.js";
import { idOf, linksOf, TraceSdk } from "../../support/traced-manager.js";

const handlers = defineHandlers({
  mail: { payload: json<string>(), run: async () => {} },
  later: { payload: json<null>(), run: async () => {} },
});
/** A machine may be busy with other tests. */
const PATIENCE = { timeout: 30_000, interval: 20 };

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
}, 120_000);

afterAll(() => server[Symbol.asyncDispose]());

function createProcess<H extends AnyHandlers>(
  prefix: string,
  options: TaskManagerOptions<H>,
  backendOptions: { readonly commandTimeoutMs?: number } = {},
) {
  const sdk = new TraceSdk();
  const scraped = new ScrapedProvider();
  const backend = redisBackend({ url: server.url, prefix, ...backendOptions });
  const tasks = new TaskManager<H>({ backend, ...options });
  const watching = instrument(tasks, { meterProvider: scraped.provider, tracerProvider: sdk.provider });
  onTestFinished(async () => {
    await tasks.stopNow();
    watching[Symbol.dispose]();
  });
  return { sdk, tasks, scrape: () => scraped.scrape() };
}

describe("durable tasks in a Redis, watched", () => {
  test("are linked to their call over the store, and counted there", async () => {
    const prefix = "observed";
    const producer = createProcess(prefix, { handlers, consume: false });
    const handle = await producer.tasks.enqueueDurable("mail", "a");
    await producer.tasks.enqueueDurable("later", null, { delayMs: 600_000 });
    const worker = createProcess(prefix, { handlers });
    await handle.result();
    await vi.waitFor(() => expect(worker.sdk.attempts).toHaveLength(1), PATIENCE);
    const [attempt] = worker.sdk.attempts;
    expect(attempt && linksOf(attempt)).toEqual([idOf(producer.sdk.sends[0])]);
    expect(attempt?.attributes).toMatchObject({
      ...{ "messaging.message.id": handle.id, "millrace.deliveries": 1, "millrace.outcome": "completed" },
    });
    await vi.waitFor(async () => {
      expect((await worker.scrape()).by("store_tasks", "queue", "state")).toMatchObject({
        "default delayed": 1,
      });
    }, PATIENCE);
    const seen = await worker.scrape();
    expect(seen.sum("store_reachable")).toBe(1);
    expect(seen.sum("store_errors_total")).toBe(0);
    expect(seen.sum("store_call_seconds_count", { call: "ack" })).toBe(1);
  });

  test("say that Redis is away, by which calls and what they met, and that it is back", async () => {
    const log = new LogRecorder();
    const options = { handlers, logger: log, leaseMs: 2_000 };
    const { scrape, tasks } = createProcess("away", options, { commandTimeoutMs: 600 });
    await vi.waitFor(() => expect(tasks.stats().durable.lastClaimAgoMs).toBeDefined(), PATIENCE);
    expect(tasks.health().concerns).toEqual([]);
    await server.kill();
    await vi.waitFor(() => expect(tasks.health().concerns).toEqual(["store-unreachable"]), PATIENCE);
    expect((await scrape()).by("store_errors_total", "call", "error_type")).toMatchObject({
      "claim MILLRACE_STORE_UNREACHABLE": expect.any(Number),
    });
    await server.restart();
    await vi.waitFor(() => expect(tasks.health().concerns).not.toContain("store-unreachable"), PATIENCE);
    await (await tasks.enqueueDurable("mail", "a")).result();
    expect(log.ends).toEqual(
      expect.arrayContaining(["warn: calls to the store failed", "warn: the store answers again"]),
    );
  });

  test("say of a producer that Redis is away, and that it is back though nobody calls", async () => {
    const options = { handlers, consume: false } as const;
    const { scrape, tasks } = createProcess("produced", options, { commandTimeoutMs: 600 });
    await tasks.enqueueDurable("mail", "a");
    expect(tasks.health().concerns).toEqual([]);
    await server.kill();
    await expect(tasks.enqueueDurable("mail", "b")).rejects.toThrow(StoreUnreachableError);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["store-unreachable"] });
    expect((await scrape()).sum("store_reachable")).toBe(0);
    await server.restart();
    await vi.waitFor(() => expect(tasks.health().status).toBe("ok"), PATIENCE);
    expect((await scrape()).sum("store_reachable")).toBe(1);
  });
});
