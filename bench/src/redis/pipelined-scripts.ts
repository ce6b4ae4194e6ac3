import assert from "node:assert/strict";
import { emptyRedis } from "./bench-redis.js";
import { toPayload } from "./durable-queues.js";

/** Takes heads of the ready set, and gives each a token, a delivery more, and a lease. */
const CLAIM = `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local taken = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  local key = KEYS[3] .. id
  local deliveries = redis.call('HINCRBY', key, 'd', 1)
  local token = math.max(micros, tonumber(redis.call('HGET', key, 't') or 0) + 1)
  redis.call('HSET', key, 't', string.format('%.0f', token))
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[2], micros / 1000 + 30000, id)
  taken[#taken + 1] = { id, string.format('%.0f', token), deliveries, redis.call('HGET', key, 'x') }
end
return taken`;

/** Ends tasks whose token is the last that was given. */
const ACK = `
local done = 0
for i = 1, #ARGV, 2 do
  local key = KEYS[2] .. ARGV[i]
  if redis.call('HGET', key, 't') == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('DEL', key)
    done = done + 1
  end
end
return done`;

type Claimed = readonly [id: string, token: string, deliveries: number, payload: string];

/**
 * What Redis itself can do on this machine: the least that claims and acks with tokens and server time take,
 * the ack of one batch and the claim of the next in one round trip. No queue can be faster.
 */
export async function pipelinedScripts(tasks: number, batch: number): Promise<number> {
  const { client } = await emptyRedis("off");
  for (let from = 0; from < tasks; from += 1_000) {
    const pipeline = client.pipeline();
    for (let number = from; number < from + 1_000; number += 1) {
      pipeline.hset(`bound:t:${number}`, "x", JSON.stringify(toPayload(number)));
      pipeline.zadd("bound:ready", number, `${number}`);
    }
    await pipeline.exec();
  }
  const claim = String(await client.script("LOAD", CLAIM));
  const ack = String(await client.script("LOAD", ACK));
  const startedAt = performance.now();
  let [done, sum] = [0, 0];
  let held: readonly Claimed[] = [];
  while (done < tasks) {
    const finished = held.flatMap((task) => task.slice(0, 2));
    const [acked, claimed] = await Promise.all([
      finished.length === 0 ? 0 : client.evalsha(ack, 2, "bound:leased", "bound:t:", ...finished),
      client.evalsha(claim, 3, "bound:ready", "bound:leased", "bound:t:", batch),
    ]);
    done += Number(acked);
    held = claimed as readonly Claimed[];
    for (const [, , , payload] of held) sum += (JSON.parse(payload) as { number: number }).number;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  assert.equal(sum, (tasks * (tasks - 1)) / 2);
  return tasks / seconds;
}
