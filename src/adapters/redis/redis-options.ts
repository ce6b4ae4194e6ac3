import type { Redis, RedisOptions } from "ioredis";
import { OptionError } from "../../errors.js";
import type { Logger } from "../../ports/logger.js";
import {
  type Check,
  type Checks,
  duration,
  expected,
  having,
  integer,
  readOptions,
} from "../../task/checks.js";

/** How long the dead letters of a queue are kept. What is dropped is counted. */
export interface RedisDeadLetterOptions {
  /** At most so many in each queue, the oldest are dropped first; from 0 up. Default 10,000. */
  maxEntries?: number | undefined;
  /** At most so long, in milliseconds. Default 1,209,600,000, 14 days. */
  ttlMs?: number | undefined;
}

/**
 * What the default export of a `renewal.module` is: it gives a client of ioredis, which others are made like,
 * or options for one. It is called once in each thread that renews.
 */
export type CreateRenewalClient = () => Redis | RedisOptions | Promise<Redis | RedisOptions>;

/** How the thread finds Redis that renews leases, where `client` says it for all else. One of the three. */
export interface RedisRenewalOptions {
  /** As the `url` of the backend. */
  url?: string | undefined;
  /** As the `options` of the backend, without functions and other things that cannot be copied. */
  options?: RedisOptions | undefined;
  /**
   * A file URL of a module whose default export is a `CreateRenewalClient`. The thread imports it, with the
   * environment and the `execArgv` of the process: for a client that cannot be described by what can be
   * copied, such as one with a function for its TLS, or one that fetches its credentials. Where it gives
   * none, leases are renewed on the event loop until it does: it is asked again, after a minute at most.
   */
  module?: URL | undefined;
}

/** Settings of `redisBackend`. One of `url`, `options` and `client` says where Redis is. */
export interface RedisBackendOptions {
  /** `redis://` or, with TLS, `rediss://`: with user, password and number of the database if need be. */
  url?: string | undefined;
  /**
   * Options of ioredis, such as host, user and TLS. Those on which Millrace depends are its own: of queues,
   * time limits, reconnecting, `keyPrefix` and `protocol`.
   */
  options?: RedisOptions | undefined;
  /** A client of ioredis that you have. Millrace makes clients like it, and leaves it alone. */
  client?: Redis | undefined;
  /**
   * With what all keys begin, inside braces: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Services that share a Redis
   * without sharing tasks need different ones. Default `"millrace"`.
   */
  prefix?: string | undefined;
  deadLetters?: RedisDeadLetterOptions | undefined;
  /**
   * For how long a call waits for Redis, in milliseconds; it should be less than a third of `leaseMs`. From
   * 10 up. Default 5,000.
   */
  commandTimeoutMs?: number | undefined;
  /**
   * Leases are renewed in a worker thread with a connection of its own, so that a blocked event loop costs
   * none. It is made from `url` or `options`, unless this says where Redis is; beside a `client` it has to be
   * said. Where it cannot be made, since `options` hold functions or the package was bundled, leases are
   * renewed on the event loop, as they are with `false`, and the `logger` is told.
   */
  renewal?: RedisRenewalOptions | false | undefined;
  /** Told what is wrong with the server or the way to it. Default: the `logger` of the manager. */
  logger?: Logger | undefined;
}

/** Where Redis is. */
export type RedisAddress =
  | { readonly url: string }
  | { readonly options: RedisOptions }
  | { readonly client: Redis };

/** Where the thread that renews leases finds Redis, or who says it there. */
export type RenewalAddress = RedisAddress | { readonly module: URL };

/** The options, checked, with their defaults. */
export interface RedisSettings {
  readonly address: RedisAddress;
  /** False where no thread is to renew leases. */
  readonly renewal: RenewalAddress | false;
  readonly prefix: string;
  readonly maxDead: number;
  readonly deadTtlMs: number;
  readonly commandTimeoutMs: number;
  readonly logger: Logger | undefined;
}

const PREFIX = /^[A-Za-z0-9_.:-]{1,64}$/;

/** It may hold a password, so that no message repeats it. */
const urlCheck: Check<string> = (value, path) => {
  if (typeof value !== "string" || !/^rediss?:\/\/./.test(value) || !URL.canParse(value)) {
    throw new OptionError(path, `Expected \`${path}\` to be a URL that begins with redis:// or rediss://`);
  }
  return value;
};

const prefixCheck: Check<string> = (value, path) => {
  if (typeof value !== "string" || !PREFIX.test(value)) {
    throw expected(path, "1 to 64 characters of A-Z a-z 0-9 _ . : -", value);
  }
  return value;
};

const optionsCheck: Check<RedisOptions> = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw expected(path, "an object with options of ioredis", value);
  }
  return { ...value };
};

const DEAD_LETTER_CHECKS: Checks<RedisDeadLetterOptions> = { maxEntries: integer(0), ttlMs: duration(0) };

/** A copy, since a URL can be changed after it was checked. */
const moduleCheck: Check<URL> = (value, path) => {
  if (value instanceof URL && value.protocol === "file:") return new URL(value.href);
  throw expected(path, "a file URL", value);
};

const RENEWAL_CHECKS: Checks<RedisRenewalOptions> = {
  url: urlCheck,
  options: optionsCheck,
  module: moduleCheck,
};

const CHECKS: Checks<RedisBackendOptions> = {
  url: urlCheck,
  options: optionsCheck,
  client: having<Redis>("a client of ioredis", "duplicate", "callBuffer"),
  prefix: prefixCheck,
  deadLetters: (value, path) => readOptions<RedisDeadLetterOptions>(path, value, DEAD_LETTER_CHECKS),
  commandTimeoutMs: duration(10),
  renewal: (value, path) =>
    value === false ? value : readOptions<RedisRenewalOptions>(path, value, RENEWAL_CHECKS),
  logger: having<Logger>("a logger", "debug", "info", "warn", "error"),
};

/** @throws {OptionError} */
export function readRedisOptions(given: RedisBackendOptions): RedisSettings {
  const read = readOptions<RedisBackendOptions>("", given, CHECKS);
  const { prefix = "millrace", deadLetters = {}, commandTimeoutMs = 5_000, logger } = read;
  const { maxEntries: maxDead = 10_000, ttlMs: deadTtlMs = 1_209_600_000 } = deadLetters;
  const address = toAddress(read);
  const renewal = read.renewal === undefined ? address : read.renewal && toRenewalAddress(read.renewal);
  return { address, renewal, prefix, maxDead, deadTtlMs, commandTimeoutMs, logger };
}

function toAddress({ url, options, client }: RedisBackendOptions): RedisAddress {
  const given = [url, options, client].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw new OptionError("url", "Expected one of `url`, `options` and `client`, to say where Redis is");
  }
  if (url !== undefined) return { url };
  return options === undefined ? { client: client as Redis } : { options };
}

function toRenewalAddress({ url, options, module }: RedisRenewalOptions): RenewalAddress {
  const given = [url, options, module].filter((one) => one !== undefined);
  if (given.length !== 1) {
    const names = "`renewal.url`, `renewal.options` and `renewal.module`";
    throw new OptionError("renewal", `Expected one of ${names}`);
  }
  if (url !== undefined) return { url };
  return options === undefined ? { module: module as URL } : { options };
}
