import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";

/**
 * Keeps new tasks of one queue.
 *
 * KEYS: 1 `meta`. Of `args`: 1 an epoch, if there is none yet; 2 a mark of the request; 3 how long the
 * outcome of what is replaced is kept; 4 the error of what is replaced, with `@holder@` and `@by@` in place
 * of the ids; 5 how many tasks; 6 how many of the request are in other calls before this. Then for each: what
 * follows the queue in its id; handler; score; delay in ms; due not before, or 0; idempotency key, or an
 * empty text; for how many ms it is held; what a duplicate gets; how many values of the record follow; these,
 * as names and values.
 *
 * Returns the epoch, the last sequence, and for each task a text: `k` and what it replaced, `d` or `t` and
 * who has its key or id.
 *
 * Made again, it finds its mark on what it has kept. It is refused when there is no memory left.
 */
export const ENQUEUE = createScript(
  "enqueue",
  false,
  RECORD,
  MOVES,
  ENDS,
  `
local tasks = tonumber(args[5])
local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = args[1]
  redis.call('HSET', meta, 'epoch', epoch)
end
local sequence = count('sequence', tasks)
local first = sequence - tasks
local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local soonest = head and tonumber(head) or math.huge
local handlers, answers = {}, { epoch, whole(sequence) }

local function known(rest, mark)
  local v = redis.pcall('HMGET', base .. 't:' .. rest, 'p', 'u', 'v')
  if v.err then return 't' .. rest end
  if not v[1] or v[1] == 'q' then
    redis.call('DEL', base .. 't:' .. rest)
    return nil
  end
  if v[2] == mark then return 'k' .. (v[3] or '') end
  return 't' .. rest
end

local function judgeKey(key, rest, duplicate)
  local holder = holderOf(key)
  if not holder then return nil end
  local record = loadRecord(holder)
  if not record and redis.call('PTTL', key) < 0 then return nil end
  if duplicate == 'reject' then return 't' .. holder end
  local waits = record and (record.place == 'r' or record.place == 'd' or record.place == 'b')
  if duplicate ~= 'replace' or not waits then return 'd' .. holder end
  leave(record)
  cancelNow(record, fill(fill(args[4], '@holder@', holder), '@by@', rest), tonumber(args[3]))
  return nil, holder
end

local at = 7
for index = 1, tasks do
  local rest, handler, score = args[at], args[at + 1], args[at + 2]
  local idempotency, values = args[at + 5], tonumber(args[at + 8])
  local mark = args[2] .. whole(args[6] + index)
  local answer, replaced = known(rest, mark), nil
  if not answer and idempotency ~= '' then
    answer, replaced = judgeKey(keyOf(handler, idempotency), rest, args[at + 7])
  end
  if not answer then
    local key, place = toSequence(first + index), 'r'
    local due = math.max(now + tonumber(args[at + 3]), tonumber(args[at + 4]))
    local record = base .. 't:' .. rest
    if due > now then
      place = 'd'
      redis.call('ZADD', delayed, due, key .. rest)
      if due < soonest then
        soonest = due
        woken = true
      end
    else
      redis.call('ZADD', readyKey(handler), score, key .. rest)
      woken = true
    end
    redis.call('HSET', record, 'h', handler, 'p', place, 's', first + index, 'n', now, 'u', mark,
      unpack(args, at + 9, at + 8 + values))
    if replaced then redis.call('HSET', record, 'v', replaced) end
    if idempotency ~= '' then
      redis.call('SET', keyOf(handler, idempotency), rest)
      redis.call('HSET', record, 'ik', idempotency, 'iu', whole(now + tonumber(args[at + 6])))
    end
    handlers[handler] = true
    answer = 'k' .. (replaced or '')
  end
  answers[index + 2] = answer
  at = at + 9 + values
end
expectType(base .. 'handlers', 'set')
for handler in pairs(handlers) do redis.call('SADD', base .. 'handlers', handler) end
tell()
return answers
`,
);
