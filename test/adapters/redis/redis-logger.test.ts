import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { redisBackend } from "../../../src/adapters/redis/index.js";
import { defineHandlers, json, TaskManager } from "../../../src/index.js";
import { LogRecorder } from "../../support/log-recorder.js";

const handlers = defineHandlers({ mail: { payload: json<string>(), run: async () => {} } });
const TROUBLE = "the connection to Redis is in trouble";
const LONG = { timeout: 30_000, interval: 20 };

/** A port of this machine where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Two logs, that of a manager and that of its backend, where that has one. */
async function start(hasOwn: boolean) {
  const [managers, own] = [new LogRecorder(), new LogRecorder()];
  const port = await closedPort();
  const url = `redis://somebody:hunter2@127.0.0.1:${port}/1`;
  const backend = redisBackend({ url, ...(hasOwn ? { logger: own } : {}) });
  const tasks = new TaskManager({ backend, handlers, logger: managers });
  onTestFinished(() => tasks.stopNow().then(() => {}));
  const met = expect.objectContaining({ code: "ECONNREFUSED", address: `127.0.0.1:${port}` });
  return { managers, own, line: ["warn", TROUBLE, met] };
}

test("a backend without a logger says to that of its manager what it met, and where, and no secret", async () => {
  const { line, managers } = await start(false);
  await expect.poll(() => managers.entries, LONG).toContainEqual(line);
  expect(JSON.stringify(managers.entries)).not.toMatch(/hunter2|somebody/);
});

test("a backend with a logger says it to that alone", async () => {
  const { line, managers, own } = await start(true);
  await expect.poll(() => own.entries, LONG).toContainEqual(line);
  await expect.poll(() => managers.ends, LONG).toContain("warn: calls to the store failed");
  expect(managers.ends).not.toContain(`warn: ${TROUBLE}`);
  expect(JSON.stringify(own.entries)).not.toMatch(/hunter2|somebody/);
});
