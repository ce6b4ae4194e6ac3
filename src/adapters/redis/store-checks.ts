import type { Redis } from "ioredis";
import { StoreRefusedError } from "../../store-errors.js";
import { failureCode } from "./redis-failures.js";
import type { RedisLog } from "./redis-log.js";

/** Scripts begin with what Redis understands since then. */
const LEAST_MAJOR_VERSION = 7;

/**
 * Looks at the set-up of a server, and says what is wrong with it for durable tasks.
 * @returns what makes it useless for them; undefined where it can be used
 */
export async function checkStore(client: Redis, log: RedisLog): Promise<StoreRefusedError | undefined> {
  if (client.options.tls?.rejectUnauthorized === false)
    log.finding("warn", "the certificate of Redis is not checked: anybody may answer in its place", {});
  let facts: ReadonlyMap<string, string>;
  try {
    facts = toFacts(await client.info());
  } catch (error) {
    const code = failureCode(error);
    if (code === "NOPERM") log.finding("warn", "the set-up of Redis cannot be checked: allow INFO", { code });
    return undefined; // else it is gone again, and is looked at when it is back
  }
  return look(facts, log);
}

function look(facts: ReadonlyMap<string, string>, log: RedisLog): StoreRefusedError | undefined {
  const version = facts.get("redis_version") ?? "";
  if (!(Number.parseInt(version, 10) >= LEAST_MAJOR_VERSION)) {
    const text = `Redis is of version ${version.slice(0, 32)}, and Millrace needs 7.0 or later`;
    log.finding("error", "this version of Redis is too old", { version });
    return new StoreRefusedError(text);
  }
  const policy = facts.get("maxmemory_policy") ?? "noeviction";
  if (policy !== "noeviction") {
    const text = "Redis may evict tasks when its memory is full: set maxmemory-policy to noeviction";
    log.finding("error", text, { policy });
  }
  if (facts.get("aof_enabled") === "0") {
    const text = "Redis keeps no append-only file: a crash of it loses what came after its last snapshot";
    log.finding("warn", text, {});
  }
  for (const name of ["aof_last_write_status", "rdb_last_bgsave_status"]) {
    const status = facts.get(name) ?? "ok";
    if (status !== "ok") log.finding("warn", "Redis could not write to its disk", { name, status });
  }
  if (facts.get("role") === "slave") {
    log.finding("error", "this Redis is a replica, to which nothing can be written", {});
  }
  return undefined;
}

/** `INFO` says `name:value` on each of its lines, but for headings. */
function toFacts(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}
