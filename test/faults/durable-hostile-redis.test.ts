import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { StoreUnreachableError } from "../../src/index.js";
import { newTask } from "../../src/testing/conformance/backend/stored-things.js";
import { crowding } from "../support/crowding.js";
import { LogRecorder } from "../support/log-recorder.js";
import { FINAL_RESULTS, FINAL_TASKS, playProxiedScene } from "../support/proxied-scene.js";
import { RedisServer } from "../support/redis-server.js";
import { type ChooseFault, TcpProxy } from "../support/tcp-proxy.js";

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

/** Faults end after so many frames: what comes of them shows then. */
const FAULTY_FRAMES = 30;

/** Every third frame meets the fault, beginning with this one; so that three scenes have it at each. */
const OFFSETS = [1, 2, 3];

const isMet = (number: number, offset: number) => number <= FAULTY_FRAMES && number % 3 === offset % 3;

/** Several times of what a scene sends that waits for an end of its faults without haste. */
const MOST_COMMANDS = 600;

async function play(choose: ChooseFault): Promise<void> {
  const { commands, faults, results, tasks, wrong } = await playProxiedScene(server, client, choose);
  expect({ results, tasks, wrong }).toEqual({ results: FINAL_RESULTS, tasks: FINAL_TASKS, wrong: [] });
  expect(faults).toBeGreaterThan(2);
  expect(commands).toBeLessThan(MOST_COMMANDS);
}

/** A command that does nothing and is answered with this error, as by the server itself. */
function failing(message: string): string {
  const parts = ["EVAL", "return redis.error_reply(ARGV[1])", "0", message];
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

const ERRORS = [
  "READONLY You can't write against a read only replica.",
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  "LOADING Redis is loading the dataset in memory",
  "NOREPLICAS Not enough good replicas to write.",
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
  "NOSCRIPT No matching script. Please use EVAL.",
  "NOAUTH Authentication required.",
  "NOPERM this user has no permissions to run the 'evalsha' command",
  "CROSSSLOT Keys in request don't hash to the same slot",
  "TRYAGAIN Multiple keys request during rehashing of slot",
  "CLUSTERDOWN Hash slot not served",
  "OOM command not allowed when used memory > 'maxmemory'.",
  "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
  "ERR whatever comes with a later version",
];

describe("errors of Redis in answer to any command", { timeout: 120_000 }, () => {
  test.concurrent.each(ERRORS)("F11: %s", async (message) => {
    const instead = failing(message);
    const failingFrom = (offset: number) =>
      play(({ kind, number }) => (kind === "command" && isMet(number, offset) ? { instead } : undefined));
    await Promise.all(OFFSETS.map(failingFrom));
  });
});

/** What no script of ours says; some of it takes what follows for a part of it. */
const REPLIES: readonly (readonly [name: string, bytes: string | Uint8Array])[] = [
  ["a text", "+OK\r\n"],
  ["nothing", "$-1\r\n"],
  ["a list of nothing", "*-1\r\n"],
  ["an empty list", "*0\r\n"],
  ["lists in lists", `${"*1\r\n".repeat(50_000)}:1\r\n`],
  ["a list that goes on for long", "*4294967295\r\n"],
  ["a list of a length that none can have", "*99999999999999999999\r\n"],
  ["a bulk that goes on for long", "$536870912\r\nbegins"],
  ["a bulk of no length", "$x\r\n"],
  ["an error with control characters", "-\u001b[31mERR\u001b]0;owned\u0007\r\n"],
  ["a map", "%1\r\n+__proto__\r\n+b\r\n"],
  ["numbers that are none", "*3\r\n:NaN\r\n,1e9999\r\n(9999999999999999999999999999\r\n"],
  ["junk", Uint8Array.from({ length: 2_000 }, (_, index) => (index * 37) % 256)],
];

/** What a server says of itself is asked for once: who believes it to be an old one goes no further. */
const isSetUp = (bytes: Buffer) => bytes.includes("redis_version:");

/**
 * Replies to scripts, and in the greeting. Those to a subscription are left alone: of one that is no list,
 * ioredis throws where nobody can catch it.
 */
function forging(offset: number, instead: string | Uint8Array): ChooseFault {
  const subscribed = new Set<number>();
  return ({ kind, number, bytes, connection }) => {
    if (kind === "command" && /\r\nsubscribe\r\n/i.test(bytes.toString("latin1"))) subscribed.add(connection);
    if (kind === "command" || subscribed.has(connection) || isSetUp(bytes)) return undefined;
    return isMet(number, offset) ? { instead } : undefined;
  };
}

describe("a Redis that answers with what it should not", { timeout: 120_000 }, () => {
  test.concurrent.each(REPLIES)("V12: %s", async (_, instead) => {
    await Promise.all(OFFSETS.map((offset) => play(forging(offset, instead))));
    expect(({} as { b?: unknown }).b).toBeUndefined();
  });

  // After these, who reads takes one reply for another, and nobody can tell that they are swapped.
  test.each([
    ["too many replies", "+a\r\n+b\r\n*2\r\n+c\r\n:5\r\n"],
    ["a message in place of a reply", ">3\r\n+message\r\n+a\r\n+b\r\n"],
  ])("V12: %s: each call is told in time, and the next connection is sound", async (_, instead) => {
    let isHostile = true;
    await using proxy = await TcpProxy.start(server.port, ({ kind, bytes }) =>
      isHostile && kind === "reply" && !isSetUp(bytes) ? { instead } : undefined,
    );
    const backend = redisBackend({ url: proxy.url, commandTimeoutMs: 300 });
    const enqueue = (call: string) => backend.enqueue(call, [newTask(`q:${call}`)]);
    const calls = Array.from({ length: 5 }, (_each, call) => enqueue(`n${call}`).catch(String));
    for (const end of await Promise.all(calls)) expect(end).toMatch(/^StoreUnreachableError/);
    isHostile = false;
    const kept = [{ outcome: "kept", replaced: undefined }];
    await expect.poll(() => enqueue(randomUUID()).catch(String), { timeout: 10_000 }).toEqual(kept);
    await backend.close();
  });

  test("V12: an error with control characters gets into no message and no log", async () => {
    const log = new LogRecorder();
    const message = `ERR \u001b[31m${"x".repeat(1_000_000)}\u001b]0;owned\u0007`;
    await using proxy = await TcpProxy.start(server.port, ({ kind, bytes }) =>
      kind === "reply" && !isSetUp(bytes) ? { instead: `-${message}\r\n` } : undefined,
    );
    const backend = redisBackend({ url: proxy.url, commandTimeoutMs: 300, logger: log });
    const error = (await backend.enqueue("r", [newTask("q:a")]).catch((thrown: unknown) => thrown)) as Error;
    await backend.close();
    expect(error).toBeInstanceOf(StoreUnreachableError);
    expect(error.message.length).toBeLessThan(200);
    const told = JSON.stringify([error.message, log.entries]);
    for (const hostile of ["\\u001b", "\\u0007", "xxxx"]) expect(told).not.toContain(hostile);
  });

  test("V12: a reply without end is given up with its connection, and the next one is used", async () => {
    let isEndless = true;
    let sent = 0;
    const chunk = Buffer.alloc(65_536, "x");
    await using proxy = await TcpProxy.start(server.port, ({ kind, bytes }) => {
      if (kind !== "reply" || isSetUp(bytes) || !isEndless) return undefined;
      sent++;
      return { instead: Buffer.concat([Buffer.from("$2147483647\r\n"), chunk]) };
    });
    const log = new LogRecorder();
    const backend = redisBackend({ url: proxy.url, commandTimeoutMs: 300, logger: log });
    for (let calls = 0; calls < 4; calls++) {
      const since = performance.now();
      const error = await backend.enqueue(`r${calls}`, [newTask("q:a")]).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StoreUnreachableError);
      expect(performance.now() - since).toBeLessThan(1_500 * crowding());
    }
    expect(sent).toBeGreaterThan(0);
    isEndless = false;
    await expect
      .poll(() => backend.enqueue("again", [newTask("q:b")]).catch(() => "not yet"), { timeout: 10_000 })
      .toEqual([{ outcome: "kept", replaced: undefined }]);
    await backend.close();
  });
});
