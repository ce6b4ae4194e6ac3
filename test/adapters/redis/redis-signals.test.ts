import { once } from "node:events";
import { createServer } from "node:net";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { redisBackend } from "../../../src/adapters/redis/index.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { crowding } from "../../support/crowding.js";
import { RedisServer } from "../../support/redis-server.js";
import { TcpProxy } from "../../support/tcp-proxy.js";

const DEAF = { wake() {}, cancelAsked() {}, finished() {}, storeLost() {} };

test("who begins to listen is told that there may be something: it may have come just before", async () => {
  await using server = await RedisServer.start();
  const backend = redisBackend({ url: server.url });
  const woken = new Promise<string>((wake) => backend.signals.listen(["mail"], { ...DEAF, wake }));
  expect(await woken).toBe("mail");
  const again = new Promise<string>((wake) => backend.signals.listen(["orders"], { ...DEAF, wake }));
  expect(await again).toBe("orders");
  await backend.close();
});

test("what has ended is told to those alone who want to know that", async () => {
  await using server = await RedisServer.start();
  const client = new Redis(server.url);
  const backend = redisBackend({ url: server.url });
  const woken = new Promise((wake) =>
    backend.signals.listen(["mail"], { ...DEAF, wake, finished: undefined }),
  );
  await woken;
  const [, deaf] = (await client.pubsub("NUMSUB", "{millrace:mail}:ends")) as unknown[];
  expect(deaf).toBe(0);
  const ears = new Promise<() => void>((resolve) => {
    const leave = backend.signals.listen(["orders"], { ...DEAF, wake: () => resolve(leave) });
  });
  const leave = await ears;
  const channels = ["{millrace:orders}:ends", "{millrace:orders}:signals"];
  expect(await client.pubsub("CHANNELS", "{millrace:orders}:*")).toEqual(expect.arrayContaining(channels));
  leave();
  await expect.poll(() => client.pubsub("CHANNELS", "{millrace:orders}:*")).toEqual([]);
  await backend.close();
  client.disconnect();
});

test("a server that takes a connection and says nothing is not waited for", async () => {
  await using server = await RedisServer.start();
  await using proxy = await TcpProxy.start(server.port, ({ kind, number }) =>
    kind === "reply" && number === 1 ? "black-hole" : undefined,
  );
  const backend = redisBackend({ url: proxy.url, commandTimeoutMs: 200 });
  const since = performance.now();
  await expect(backend.enqueue("first", [newTask("q:a")])).rejects.toMatchObject({
    code: "MILLRACE_STORE_UNREACHABLE",
  });
  for (let tries = 0; ; tries++) {
    const answer = await backend.enqueue(`${tries}`, [newTask("q:b")]).catch(() => undefined);
    if (answer !== undefined) break;
  }
  expect(performance.now() - since).toBeLessThan(1_500 * crowding());
  await backend.close();
});

test("a server that never says anything is tried again and again, and each call rejects in time", async () => {
  let connections = 0;
  const silent = createServer((socket) => {
    connections++;
    socket.on("error", () => {}).resume();
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const backend = redisBackend({ options: { host: "127.0.0.1", port }, commandTimeoutMs: 50 });
  while (connections < 3) {
    await expect(backend.enqueue("r", [newTask("q:a")])).rejects.toMatchObject({
      code: "MILLRACE_STORE_UNREACHABLE",
    });
  }
  await backend.close();
  silent.close();
  await once(silent, "close"); // no connection is left
});
