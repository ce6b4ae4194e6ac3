import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Keeps new tasks of one queue.
 *
 * KEYS: 1 `meta`. Of `args`: 1 an epoch, if there is none yet; 2 how many tasks; 3 how long the outcome of
 * what is replaced is kept; 4 the error of what is replaced, with `@holder@` and `@by@` in place of the ids.
 * Then for each: what follows the queue in its id; handler; score; an empty text, or `1` and eight more
 * behind the next; the record behind its head. The eight: delay in ms; due not before, or 0; its whole life
 * in ms, or an empty text; when its life ends, or an empty text; idempotency key, or an empty text; for how
 * many ms it is held; what a duplicate gets; `free` where a failure frees it. It is due by its life's end.
 *
 * Returns the epoch, the last sequence, and of tasks that were not just kept, the number in the call and a
 * text: `k` and what it replaced, or nothing where it was kept before; `d` or `t` and who has its key or id.
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
local AT_ONCE = 250
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
local starts = {}
local at = 5
for index = 1, tasks do
  starts[index] = at
  at = at + (args[at + 3] == '' and 5 or 13)
end

-- The mark in what follows the head of a record.
local function markIn(body)
  local handlerBytes, keyBytes, markBytes = struct.unpack('>I1I2I1', body, FIXED_BYTES - HEAD_BYTES - 11)
  local from = FIXED_BYTES - HEAD_BYTES + handlerBytes + keyBytes
  return string.sub(body, from + 1, from + markBytes)
end

-- What is there under the id of a task: the same task, or another one. What was set aside makes room.
local function known(rest, body)
  local record, why = loadRecord(rest)
  if record and markOf(record) == markIn(body) then return 'k' .. (lookBeside(record, 'v') or '') end
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

-- The same of one that is ready and holds no key: then the number is all that is not the same in each head.
local readyHead = toText('r', 0, 0, '')
local beforeNumber, afterNumber = string.sub(readyHead, 1, 10), string.sub(readyHead, 17)

local function toReadyText(number, body)
  return beforeNumber .. struct.pack('>I6', number) .. afterNumber .. body
end

local function keepKey(key, text, body, rest)
  if redis.call('SET', key, text, 'NX') then return nil end
  local answer = known(rest, body)
  if not answer then redis.call('SET', key, text) end
  return answer
end

local function wait(rest, handler, number, score, due)
  local member = toMember(number, rest)
  if due <= now then
    redis.call('ZADD', readyKey(handler), score, member)
    woken = true
    return
  end
  redis.call('ZADD', delayed, due, member)
  if due >= soonest then return end
  soonest = due
  woken = true
end

-- One task, whatever is said of it. The answer, unless it was kept and nothing was replaced.
local function keepOne(index)
  local at, number = starts[index], first + index
  local rest, handler, score, isSpecial, body = unpack(args, at, at + 4)
  local delay, runAt, life, lifeEnd, idempotency, ttl, duplicate, fails = '0', '0', '', '', '', '0', '', ''
  if isSpecial ~= '' then
    delay, runAt, life, lifeEnd, idempotency, ttl, duplicate, fails = unpack(args, at + 5, at + 12)
  end
  local key = base .. 't:' .. rest
  local due, heldUntil = math.max(now + tonumber(delay), tonumber(runAt)), 0
  due = math.min(due, now + (tonumber(life) or math.huge), tonumber(lifeEnd) or math.huge)
  local answer, replaced
  if idempotency ~= '' then
    heldUntil = now + tonumber(ttl)
    answer = redis.call('EXISTS', key) == 1 and known(rest, body) or nil
    if not answer then answer, replaced = judgeKey(keyOf(handler, idempotency), rest, duplicate) end
    if answer then return answer end
  end
  answer = keepKey(key, toText(due > now and 'd' or 'r', number, heldUntil, body), body, rest)
  if answer then return answer end
  wait(rest, handler, number, score, due)
  if idempotency ~= '' then redis.call('SET', keyOf(handler, idempotency), rest) end
  handlers[handler] = true
  local record = (replaced or fails == 'free') and loadRecord(rest)
  if not record then return nil end
  if fails == 'free' then putBeside(record, 'kf', '1') end
  if replaced then putBeside(record, 'v', replaced) end
  save(record)
  return replaced and 'k' .. replaced
end

-- Several of which nothing is said, and that are new, in few commands; false and nothing done otherwise.
local function keepPlain(from, to)
  local texts, ready, seen = {}, {}, {}
  for index = from, to do
    local at = starts[index]
    local rest, handler = args[at], args[at + 1]
    if args[at + 3] ~= '' or seen[rest] then return false end
    seen[rest] = true
    local heads = ready[handler] or {}
    ready[handler] = heads
    local last = #heads
    heads[last + 1], heads[last + 2] = args[at + 2], toMember(first + index, rest)
    last = #texts
    texts[last + 1], texts[last + 2] = base .. 't:' .. rest, toReadyText(first + index, args[at + 4])
  end
  if redis.call('MSETNX', unpack(texts)) == 0 then return false end
  for handler, heads in pairs(ready) do
    redis.call('ZADD', readyKey(handler), unpack(heads))
    handlers[handler] = true
  end
  woken = true
  return true
end

for from = 1, tasks, AT_ONCE do
  local to = math.min(from + AT_ONCE - 1, tasks)
  if not keepPlain(from, to) then
    for index = from, to do
      local answer = keepOne(index)
      if answer then
        answers[#answers + 1] = index
        answers[#answers + 1] = answer
      end
    end
  end
end
expectType(base .. 'handlers', 'set')
for handler in pairs(handlers) do redis.call('SADD', base .. 'handlers', handler) end
tell()
return answers
`,
);
