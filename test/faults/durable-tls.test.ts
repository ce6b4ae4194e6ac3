import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
// The compiled package, since the thread that renews runs compiled code.
import { type RedisBackendOptions, redisBackend } from "../../dist/adapters/redis/index.js";
import { defineHandlers, json, StoreUnreachableError, TaskManager } from "../../dist/index.js";
import { type Certificate, CertificateAuthority } from "../support/certificates.js";
import { runProgram } from "../support/child-process.js";
import { LogRecorder } from "../support/log-recorder.js";
import { auditRedis } from "../support/redis-audit.js";
import { freePort, RedisServer } from "../support/redis-server.js";

const LEASE_MS = 1_500;
/** However busy the machine is. */
const LONG = { timeout: 20_000 };

let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let sound: Certificate;
let expired: Certificate;
let ca: string;

let server: RedisServer;
let port: number;
/** Who looks, by a way without TLS. */
let client: Redis;

beforeAll(async () => {
  [authority, stranger] = await Promise.all([CertificateAuthority.create(), CertificateAuthority.create()]);
  ca = await authority.text();
  sound = await authority.issue({ host: "localhost" });
  expired = await authority.issue({ host: "localhost", from: "20200101000000Z", to: "20200102000000Z" });
  port = await freePort();
  const files = { "tls-cert-file": sound.certificate, "tls-key-file": sound.key };
  const settings = { "tls-port": String(port), "tls-auth-clients": "no", ...files };
  server = await RedisServer.start({ settings });
  client = new Redis(server.url);
}, 150_000);

afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
  await Promise.all([authority[Symbol.asyncDispose](), stranger[Symbol.asyncDispose]()]);
});

/** From now on the server shows this one to who connects; who is connected is cut off. */
async function show({ certificate, key }: Certificate): Promise<void> {
  await client.config("SET", "tls-cert-file", certificate, "tls-key-file", key);
  await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await client.call("CLIENT", "KILL", "TYPE", "pubsub");
}

/** A manager whose way to Redis is this one, and what it says of it. */
function manage(prefix: string, address: RedisBackendOptions) {
  const log = new LogRecorder();
  const handlers = defineHandlers({
    work: {
      payload: json<{ readonly takesMs: number }>(),
      run: async ({ takesMs }, { attempt }) => {
        await delay(takesMs);
        return attempt;
      },
    },
  });
  const tasks = new TaskManager({
    ...{ handlers, leaseMs: LEASE_MS, logger: log },
    backend: redisBackend({ prefix, commandTimeoutMs: 400, logger: log, ...address }),
  });
  onTestFinished(async () => {
    await tasks.stopNow();
    expect(await auditRedis(client, prefix)).toEqual([]);
  });
  return { log, tasks };
}

/** A call that is made again makes no second task. */
const ONCE = { idempotencyKey: "once" };

/** On a machine that is busy, the first greeting may take longer than a call waits. */
async function insist<R>(call: () => Promise<R>): Promise<R> {
  for (let left = 20; ; left -= 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnreachableError) || left === 0) throw error;
    }
  }
}

async function refusal(prefix: string, address: RedisBackendOptions): Promise<Error> {
  const { tasks } = manage(prefix, address);
  const error: unknown = await tasks
    .enqueueDurable("work", { takesMs: 0 })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreUnreachableError);
  expect(await client.keys(`{${prefix}:*`)).toEqual([]);
  return (error as Error).cause as Error;
}

const trusting = () => ({ options: { host: "localhost", port, tls: { ca } } });

describe("a way with TLS", { timeout: 60_000 }, () => {
  test("V10: by options, tasks are enqueued and run, and a thread renews their leases over TLS too", async () => {
    const before = await tlsConnections();
    const { tasks } = manage("options", trusting());
    const handle = await insist(() => tasks.enqueueDurable("work", { takesMs: 2 * LEASE_MS }, ONCE));
    await expect.poll(renewals, LONG).toEqual([expect.stringContaining(`laddr=127.0.0.1:${port}`)]);
    expect(await handle.result()).toBe(1);
    expect(tasks.stats().total).toMatchObject({ completed: 1, started: 1 });
    expect(await tlsConnections()).toBeGreaterThan(before);
  });

  test("V10: by a URL, where the process trusts who vouches for the server, and nowhere else", async () => {
    const url = `rediss://localhost:${port}`;
    const program = ["durable/producer.mjs", url, "by-url"] as const;
    const refused = await runProgram(...program);
    expect(refused).toMatchObject({ code: 0, stdout: "MILLRACE_STORE_UNREACHABLE\n", stderr: "" });
    process.env["NODE_EXTRA_CA_CERTS"] = authority.file;
    onTestFinished(() => void Reflect.deleteProperty(process.env, "NODE_EXTRA_CA_CERTS"));
    const accepted = await runProgram(...program);
    expect(accepted).toMatchObject({ code: 0, stdout: "accepted\n", stderr: "" });
    expect(await auditRedis(client, "by-url")).toEqual([]);
  });

  async function tlsConnections(): Promise<number> {
    const list = String(await client.client("LIST"));
    return list.split("\n").filter((line) => line.includes(`laddr=127.0.0.1:${port}`)).length;
  }

  async function renewals(): Promise<readonly string[]> {
    const list = String(await client.client("LIST"));
    return list.split("\n").filter((line) => line.includes("name=millrace-renewal"));
  }
});

describe("a server that is not the one it should be", { timeout: 60_000 }, () => {
  test("V10: is refused where nobody is known who vouches for it, and it is said why", async () => {
    const cause = await refusal("unknown", { url: `rediss://localhost:${port}` });
    expect(cause).toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    expect(cause.message).toMatch(/unable to verify the first certificate/);
  });

  test("V10: is refused where another one vouches for it than who is trusted", async () => {
    const tls = { ca: await stranger.text() };
    const cause = await refusal("stranger", { options: { host: "localhost", port, tls } });
    expect(cause.message).toMatch(/unable to verify the first certificate|unable to get local issuer/);
  });

  test("V10: is refused where its certificate is for another host", async () => {
    await show(await authority.issue({ host: "elsewhere.test" }));
    try {
      const cause = await refusal("host", trusting());
      expect(cause.message).toMatch(/does not match certificate's altnames.*localhost.*elsewhere\.test/);
    } finally {
      await show(sound);
    }
  });

  test("V10: is refused where its certificate has expired", async () => {
    await show(expired);
    try {
      expect(await refusal("expired", trusting())).toMatchObject({ code: "CERT_HAS_EXPIRED" });
    } finally {
      await show(sound);
    }
  });

  test("V10: who expects TLS says nothing to a server that does not speak it", async () => {
    const heard: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        heard.push(bytes);
        socket.write("+OK\r\n");
      });
    });
    plain.listen(0, "127.0.0.1");
    await once(plain, "listening");
    onTestFinished(() => void plain.close());
    const address = { host: "127.0.0.1", port: (plain.address() as AddressInfo).port, username: "hunter2" };
    const cause = await refusal("plain", { options: { ...address, password: "hunter2", tls: { ca } } });
    expect(cause.message).toMatch(/wrong version number|packet length too long/);
    expect(heard.length).toBeGreaterThan(0);
    for (const bytes of heard) {
      expect([bytes[0], bytes[1]]).toEqual([0x16, 0x03]); // a greeting of TLS, and nothing of Redis
      expect(bytes.toString("latin1")).not.toMatch(/hunter2|AUTH|CLIENT|work/i);
    }
  });

  test("V10: a plain way to a server that speaks TLS ends in an error, and soon", async () => {
    const since = performance.now();
    await refusal("downgrade", { url: `redis://localhost:${port}` });
    expect(performance.now() - since).toBeLessThan(10_000);
  });
});

describe("what goes wrong with the way while a manager is at work", { timeout: 60_000 }, () => {
  test("F6: a certificate that expires: calls are refused, the log is short, and work goes on when it is mended", async () => {
    const { log, tasks } = manage("mid-life", trusting());
    const first = await tasks.enqueueDurable("work", { takesMs: 0 });
    await first.result();
    const since = performance.now();
    await show(expired);
    const cause = async () =>
      tasks.enqueueDurable("work", { takesMs: 0 }).catch((error: Error) => (error.cause as Error)?.message);
    await expect.poll(cause, LONG).toBe("certificate has expired");
    await delay(2_000); // for so long it is so, and tried again and again
    const connections = (await client.info("stats")).match(/total_connections_received:(\d+)/)?.[1];
    await show(sound);
    await expect.poll(() => tryOut(tasks), LONG).toBe(1);
    expectShort(log, since);
    const later = (await client.info("stats")).match(/total_connections_received:(\d+)/)?.[1];
    expect(Number(later) - Number(connections)).toBeLessThan(60);
  });

  test("F6: a name that is found no more: the same, and each try waits longer than the one before", async () => {
    let isFound = true;
    const lookups: number[] = [];
    type Found = (
      error: Error | null,
      address: string | { address: string; family: number }[],
      family?: number,
    ) => void;
    const lookup = (_host: string, { all }: { readonly all?: boolean }, found: Found) => {
      if (!isFound) {
        lookups.push(performance.now());
        found(Object.assign(new Error("getaddrinfo ENOTFOUND localhost"), { code: "ENOTFOUND" }), "");
      } else if (all) found(null, [{ address: "127.0.0.1", family: 4 }]);
      else found(null, "127.0.0.1", 4);
    };
    const { options } = trusting();
    const { log, tasks } = manage("names", {
      options: { ...options, tls: { ...options.tls, lookup } as never },
    });
    await (await tasks.enqueueDurable("work", { takesMs: 0 })).result();
    isFound = false;
    const since = performance.now();
    await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    const error = async () =>
      tasks.enqueueDurable("work", { takesMs: 0 }).catch((thrown: Error) => thrown.cause);
    await expect.poll(error, LONG).toMatchObject({ code: "ENOTFOUND" });
    while (lookups.length < 8) await delay(50);
    // Two connections, each at first after up to 50 ms, then after twice as long as before.
    expect((lookups[7] ?? 0) - (lookups[0] ?? 0)).toBeGreaterThan(300);
    isFound = true;
    await expect.poll(() => tryOut(tasks), LONG).toBe(1);
    expectShort(log, since);
  });
});

async function tryOut(tasks: {
  enqueueDurable(
    name: "work",
    payload: { readonly takesMs: number },
  ): Promise<{ result(): Promise<unknown> }>;
}): Promise<unknown> {
  try {
    return await (await tasks.enqueueDurable("work", { takesMs: 0 })).result();
  } catch (error) {
    if (error instanceof StoreUnreachableError) return "not yet";
    throw error;
  }
}

/** At most a line a second of each kind, however often it was tried. */
function expectShort(log: LogRecorder, since: number): void {
  const seconds = (performance.now() - since) / 1_000;
  const kinds = new Map<string, number>();
  for (const [, text] of log.entries) kinds.set(text, (kinds.get(text) ?? 0) + 1);
  for (const [text, count] of kinds) expect([text, count <= seconds + 2]).toEqual([text, true]);
  expect([...kinds.keys()].join()).toMatch(/in trouble|not heard/); // one of the two connections says it
}
