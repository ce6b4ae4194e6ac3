import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisBackend } from "../../src/adapters/redis/index.js";
import { StoreUnreachableError } from "../../src/index.js";
import type { Random } from "../../src/ports/random.js";
import { newTask } from "../../src/testing/conformance/backend/stored-things.js";
import { seededRandom } from "../../src/testing/index.js";
import { crowding } from "../support/crowding.js";
import { LogRecorder } from "../support/log-recorder.js";
import { FINAL_RESULTS, FINAL_TASKS, playProxiedScene } from "../support/proxied-scene.js";
import { RedisServer } from "../support/redis-server.js";
import { type ChooseFault, TcpProxy } from "../support/tcp-proxy.js";

const SEED = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 1e9));

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

/** A scene for each offset, whose faults that says. How many one meets is a matter of what travels together. */
async function play(toChoice: (offset: number) => ChooseFault): Promise<void> {
  const ends = await Promise.all(OFFSETS.map((offset) => playProxiedScene(server, client, toChoice(offset))));
  for (const { commands, faults, results, tasks, wrong } of ends) {
    expect({ results, tasks, wrong }).toEqual({ results: FINAL_RESULTS, tasks: FINAL_TASKS, wrong: [] });
    expect(faults).toBeGreaterThan(0);
    expect(commands).toBeLessThan(MOST_COMMANDS);
  }
  expect(ends.reduce((sum, { faults }) => sum + faults, 0)).toBeGreaterThan(2 * OFFSETS.length);
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
    await play(
      (offset) =>
        ({ kind, number }) =>
          kind === "command" && isMet(number, offset) ? { instead } : undefined,
    );
  });
});

const FUZZED = 300;

/** What answers are made of, and what they are not; each is a whole value. */
const LEAVES = [
  ...[
    ":0",
    ":1",
    ":-1",
    ":9007199254740993",
    "$-1",
    "*-1",
    "*0",
    "+OK",
    "+",
    "-NOSCRIPT x",
    "-ERR x",
    ",1.5",
  ],
  ...["", "0", "1", "-1", "NaN", "1e400", "x", "work", "__proto__", "1 1 0 0 1 1 0 1 0", "{}", "é"].map(
    (text) => `$${Buffer.byteLength(text)}\r\n${text}`,
  ),
];

/** A list of anything, often with the marks before it with which answers of scripts begin. */
function anyList(random: Random, depth = 3): string {
  const below = (bound: number) => Math.floor(random.next() * bound);
  const marks = depth === 3 && below(4) > 0 ? ["$5\r\nepoch\r\n", ":1\r\n"] : [];
  const rest = Array.from({ length: below(9) }, () =>
    depth > 0 && below(3) === 0 ? anyList(random, depth - 1) : `${LEAVES[below(LEAVES.length)]}\r\n`,
  );
  return `*${marks.length + rest.length}\r\n${[...marks, ...rest].join("")}`;
}

const CLAIM = {
  ...{ requestId: "r", queue: "q", leaseMs: 1_000, slots: [1], permits: 1 },
  handlers: [{ name: "work", lane: 0, room: 1 }],
};
const CANCEL = { id: "q:a", error: "", resultTtlMs: 1_000 };
const ACK = {
  ...{ id: "q:a", token: 1, resultTtlMs: 1_000 },
  outcome: { state: "completed", reason: undefined, value: undefined, error: undefined, charged: true },
} as const;

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
    await play((offset) => forging(offset, instead));
    expect(({} as { b?: unknown }).b).toBeUndefined();
  });

  // After these, who reads takes one reply for another, and nobody can tell that they are swapped.
  test.each([
    ["too many replies", "+a\r\n+b\r\n+c\r\n"],
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

  test(`Z3: whatever list comes in place of an answer, each call is told in time (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const left = Array.from({ length: FUZZED }, () => anyList(random));
    const ends = new Map<string, number>();
    const tryOut = async () => {
      for (let instead = left.pop(); instead !== undefined; instead = left.pop()) {
        const whole = instead;
        await using proxy = await TcpProxy.start(server.port, ({ kind, bytes }) =>
          kind === "reply" && !isSetUp(bytes) ? { instead: whole } : undefined,
        );
        const backend = redisBackend({
          url: proxy.url,
          prefix: "fuzzed",
          commandTimeoutMs: 100,
          renewal: false,
        });
        const since = performance.now();
        const calls = [
          backend.inspector.counts(["q"]),
          backend.inspector.read(["q:a"]),
          backend.claim(CLAIM),
          backend.enqueue("r", [newTask("q:a")]),
          backend.ack([ACK]),
          backend.cancel([CANCEL]),
        ];
        for (const end of await Promise.allSettled(calls)) {
          const told = end.status === "fulfilled" ? JSON.stringify(end.value) : String(end.reason.name);
          ends.set(told, (ends.get(told) ?? 0) + 1);
        }
        expect(performance.now() - since).toBeLessThan(2_000 * crowding());
        await backend.close();
      }
    };
    await Promise.all(Array.from({ length: 8 }, tryOut));
    // What has the shape of an answer is one; of all else it is said that the store did not answer.
    for (const told of ends.keys()) expect(told).toMatch(/^(Store(Unreachable|Refused|Full)Error$|[[{])/);
    expect(ends.get("StoreUnreachableError")).toBeGreaterThan(FUZZED);
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
