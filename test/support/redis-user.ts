import type { Redis } from "ioredis";

/** What a user of Redis may do who runs Millrace, as the README of the adapter has it: no more is needed. */
export function leastRights(prefix: string): readonly string[] {
  return [
    ...["resetkeys", "resetchannels", "-@all", `~{${prefix}:*`, `&{${prefix}:*`],
    ...["+evalsha", "+eval", "+scan", "+info", "+ping", "+subscribe", "+unsubscribe", "+client|setname"],
    ...["+time", "+type", "+exists", "+del", "+rename", "+pexpire", "+pttl", "+persist"],
    ...["+get", "+set", "+msetnx", "+getrange", "+setrange", "+hget", "+hset", "+hgetall", "+hdel"],
    ...["+hincrby", "+sadd", "+smembers"],
    ...["+zadd", "+zrem", "+zrange", "+zcard", "+zcount", "+zscore", "+zremrangebyrank", "+publish"],
  ];
}

/** Makes such a user, and gives the URL with which it comes in. */
export async function leastUser(raw: Redis, url: string, prefix: string): Promise<string> {
  await raw.call("ACL", "SETUSER", "millrace", "on", ">secret", ...leastRights(prefix));
  return url.replace("redis://", "redis://millrace:secret@");
}
