import { afterEach, describe, expect, test } from "vitest";
import { RedisLog } from "../../../src/adapters/redis/redis-log.js";
import { checkStore } from "../../../src/adapters/redis/store-checks.js";
import { StoreRefusedError } from "../../../src/store-errors.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { RedisScene } from "../../support/redis-scene.js";
import { RedisServer, type RedisServerOptions } from "../../support/redis-server.js";

let server: RedisServer | undefined;
let scene: RedisScene | undefined;

afterEach(async () => {
  await scene?.close();
  await server?.[Symbol.asyncDispose]();
});

/** What a backend says of a server at its first call. */
async function findings(options: RedisServerOptions): Promise<readonly string[]> {
  server = await RedisServer.start(options);
  scene = await RedisScene.open(server);
  await scene.counts();
  await scene.insist(() => scene?.counts() ?? Promise.resolve({}));
  await expect.poll(async () => scene?.raw.info("commandstats")).toMatch(/cmdstat_info:calls=[2-9]/);
  await scene.counts();
  return scene.log.ends;
}

const noFile = "warn: Redis keeps no append-only file: a crash of it loses what came after its last snapshot";
const evicts = "error: Redis may evict tasks when its memory is full: set maxmemory-policy to noeviction";

describe("what is wrong with a server is said at the start, once", () => {
  test("nothing, where it evicts nothing and has an append-only file", async () => {
    expect(await findings({ appendOnly: "everysec" })).toEqual([]);
  });

  test("that it has no append-only file", async () => {
    expect(await findings({})).toEqual([noFile]);
  });

  test("that it evicts what it likes (F17)", async () => {
    const settings = { "maxmemory-policy": "allkeys-lru" };
    expect(await findings({ appendOnly: "everysec", settings })).toEqual([evicts]);
  });
});

describe("of what a server says of itself", () => {
  /** A client of a server that says this. */
  const saying = (text: string) => ({ options: {}, info: async () => text }) as never;

  test("an old version is refused, with a finding", async () => {
    const log = new LogRecorder();
    const refusal = await checkStore(saying("# Server\r\nredis_version:6.2.14\r\n"), new RedisLog(log));
    expect(refusal).toBeInstanceOf(StoreRefusedError);
    expect(refusal?.message).toBe("Redis is of version 6.2.14, and Millrace needs 7.0 or later");
    expect(log.ends).toEqual(["error: this version of Redis is too old"]);
  });

  test("a replica, and a disk that cannot be written, are found", async () => {
    const log = new LogRecorder();
    const text = "redis_version:7.0.15\r\nrole:slave\r\naof_enabled:1\r\naof_last_write_status:err\r\n";
    expect(await checkStore(saying(text), new RedisLog(log))).toBeUndefined();
    expect(log.ends).toEqual([
      "warn: Redis could not write to its disk",
      "error: this Redis is a replica, to which nothing can be written",
    ]);
  });

  test("nothing is made of nothing, and a logger that throws changes nothing", async () => {
    const broken = { debug() {}, info() {}, error() {}, warn: () => Promise.reject(new Error("no disk")) };
    expect(await checkStore(saying(""), new RedisLog(broken))).toBeInstanceOf(StoreRefusedError);
    expect(
      await checkStore(saying("redis_version:8.2\r\naof_enabled:0"), new RedisLog(broken)),
    ).toBeUndefined();
  });
});
