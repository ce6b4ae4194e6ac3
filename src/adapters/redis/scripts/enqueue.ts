import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Keeps new tasks of one queue.
 *
 * KEYS: 1 `meta`. Of `args`: 1 an epoch, if there is none yet; 2 how many tasks; 3 how long the outcome of
 * what is replaced is kept; 4 the error of what is replaced, with `@holder@` and `@by@` in place of the ids.
 * Then for each: what follows the queue in its id; handler; score; delay in ms; due not before, or
 * 0; idempotency key, or an empty text; for how many ms it is held; what a duplicate gets; the mark of the
 * request; the record behind its head.
 *
 * Returns the epoch, the last sequence, and for each task a text: `k` and what it replaced, `d` or `t` and
 * who has its key or id.
 *
 * Made again, it finds its mark on what it has kept. It is refused when there is no memory left.
 */
export const ENQUEUE = createScript(
  "enqueue",
  false,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
local tasks = tonumber(args[2])
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

-- What is there under the id of a task: the same task, or another one. What was set aside makes room.
local function known(rest, mark)
  local record, why = loadRecord(rest)
  if record and markOf(record) == mark then return 'k' .. (lookBeside(record, 'v') or '') end
  if why == 'half' and redis.call('PTTL', base .. 't:' .. rest) >= 0 then
    redis.call('DEL', base .. 't:' .. rest)
    return nil
  end
  return 't' .. rest
end

local function judgeKey(key, rest, duplicate)
  local holder = holderOf(key)
  if not holder then return nil end
  local record = loadRecord(holder)
  if not record and redis.call('PTTL', key) < 0 then return nil end
  if duplicate == 'reject' then return 't' .. holder end
  local waits = record and (record[PLACE] == 'r' or record[PLACE] == 'd' or record[PLACE] == 'b')
  if duplicate ~= 'replace' or not waits then return 'd' .. holder end
  leave(record)
  cancelNow(record, fill(fill(args[4], '@holder@', holder), '@by@', rest), tonumber(args[3]))
  return nil, holder
end

local function toText(place, number, heldUntil, body)
  return struct.pack(HEAD, place, '-', '-', 0, number, 0, 0, now, 0, 0, 0, now, heldUntil) .. body
end

local at = 5
for index = 1, tasks do
  local rest, handler, score, delay, runAt = args[at], args[at + 1], args[at + 2], args[at + 3], args[at + 4]
  local idempotency, mark = args[at + 5], args[at + 8]
  local key = base .. 't:' .. rest
  local heldUntil = idempotency ~= '' and now + tonumber(args[at + 6]) or 0
  local due = now
  if delay ~= '0' or runAt ~= '0' then due = math.max(now + tonumber(delay), tonumber(runAt)) end
  local answer, replaced
  if idempotency ~= '' then
    answer = redis.call('EXISTS', key) == 1 and known(rest, mark) or nil
    if not answer then answer, replaced = judgeKey(keyOf(handler, idempotency), rest, args[at + 7]) end
  end
  if not answer then
    local text = toText(due > now and 'd' or 'r', first + index, heldUntil, args[at + 9])
    if not redis.call('SET', key, text, 'NX') then
      answer = known(rest, mark)
      if not answer then redis.call('SET', key, text) end
    end
  end
  if not answer then
    local member = toMember(first + index, rest)
    if due > now then
      redis.call('ZADD', delayed, due, member)
      if due < soonest then
        soonest = due
        woken = true
      end
    else
      redis.call('ZADD', readyKey(handler), score, member)
      woken = true
    end
    if idempotency ~= '' then redis.call('SET', keyOf(handler, idempotency), rest) end
    if replaced then
      local record = loadRecord(rest)
      putBeside(record, 'v', replaced)
      save(record)
    end
    handlers[handler] = true
    answer = 'k' .. (replaced or '')
  end
  answers[index + 2] = answer
  at = at + 10
end
expectType(base .. 'handlers', 'set')
for handler in pairs(handlers) do redis.call('SADD', base .. 'handlers', handler) end
tell()
return answers
`,
);
