import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { expect } from "vitest";
import { type RedisBackendOptions, redisBackend } from "../../src/adapters/redis/index.js";
import type { Backend } from "../../src/ports/backend.js";
import { BackendTrial } from "../../src/testing/conformance/backend/backend-trial.js";
import { LogRecorder } from "./log-recorder.js";
import { auditRedis } from "./redis-audit.js";
import type { RedisServer } from "./redis-server.js";

/** How a backend is tried. */
export interface RedisSceneOptions extends Omit<RedisBackendOptions, "client"> {
  /** How long leases are that are to expire, in milliseconds. Default 300. */
  readonly leaseMs?: number;
}

/** A store of its own in a real Redis, with a backend that uses it and a plain client that looks at it. */
export class RedisScene extends BackendTrial {
  readonly raw: Redis;
  readonly log: LogRecorder;
  readonly prefix: string;

  private constructor(server: RedisServer, { leaseMs = 300, ...options }: RedisSceneOptions) {
    const prefix = options.prefix ?? `test-${randomUUID()}`;
    const log = new LogRecorder();
    const address = options.url === undefined && options.options === undefined ? { url: server.url } : {};
    const connect = () => redisBackend({ prefix, logger: log, ...address, ...options });
    const store = { connect, advanceTime: (ms: number) => delay(ms) };
    super({ leaseMs, open: () => store }, store);
    this.raw = new Redis(server.url);
    this.raw.on("error", () => {}); // servers of tests come and go
    this.log = log;
    this.prefix = prefix;
  }

  static async open(server: RedisServer, options: RedisSceneOptions = {}): Promise<RedisScene> {
    const scene = new RedisScene(server, options);
    await scene.open();
    return scene;
  }

  /** The name of a key of the queue `q`. */
  key(name: string, queue = "q"): string {
    return `{${this.prefix}:${queue}}:${name}`;
  }

  /** All keys are as they must be. */
  async audit(): Promise<void> {
    expect(await auditRedis(this.raw, this.prefix)).toEqual([]);
  }

  /** What was set aside in the queue `q`. */
  async setAside(): Promise<readonly string[]> {
    return this.raw.zrange(this.key("quarantine"), "0", "-1");
  }

  /** Calls until it is answered, as whoever rests on a backend does. */
  async insist<R>(call: (backend: Backend) => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await call(this.backend);
      } catch (error) {
        if ((error as { code?: string }).code !== "MILLRACE_STORE_UNREACHABLE") throw error;
        await delay(20);
      }
    }
  }

  override async close(): Promise<void> {
    await super.close();
    this.raw.disconnect();
  }
}
