/**
 * Moves between places. `leave` takes a record out of the index of its place; whoever calls it puts it into
 * another one. Outcomes to be found, and what is to be told of, are collected, and `tell` deals with them in
 * one go.
 */
export const MOVES = `
local woken, ended, asked, outcomes, lastOutcome = false, {}, {}, {}, 0

-- It is kept until then, at least.
local function noteOutcome(rest, instant)
  local last = #outcomes
  outcomes[last + 1], outcomes[last + 2] = whole(instant), rest
  if instant > lastOutcome then lastOutcome = instant end
end

-- The index goes with the last of its outcomes, and a minute more: nobody may ever come to this queue again.
local function tellOutcomes()
  if #outcomes == 0 then return end
  for at = 1, #outcomes, 1000 do
    redis.call('ZADD', finished, unpack(outcomes, at, math.min(at + 999, #outcomes)))
  end
  local ttl = whole(lastOutcome - now + 60000)
  redis.call('PEXPIRE', finished, ttl, 'NX')
  redis.call('PEXPIRE', finished, ttl, 'GT')
end

local function tell()
  tellOutcomes()
  local channel = base .. 'signals'
  if woken then redis.call('PUBLISH', channel, 'w') end
  if #asked > 0 then redis.call('PUBLISH', channel, 'c' .. table.concat(asked, ' ')) end
  if #ended > 0 then redis.call('PUBLISH', base .. 'ends', table.concat(ended, ' ')) end
end

local function nextSequence()
  return count('sequence', 1)
end

-- In an index that is ordered among equals: a number that sorts as a text, then the id.
local function toMember(number, rest)
  return string.format('%012x', number) .. rest
end

local function memberOf(record)
  return toMember(record[NUMBER], record[REST])
end

local function leave(record)
  local place = record[PLACE]
  if place == 'r' then
    redis.call('ZREM', readyKey(handlerOf(record)), memberOf(record))
  elseif place == 'd' or place == 'b' then
    redis.call('ZREM', delayed, memberOf(record))
  elseif place == 'l' then
    redis.call('ZREM', leased, record[REST])
  elseif place == 'x' then
    redis.call('ZREM', dead, record[REST])
  end
end

local function toScore(record)
  return record[PRIORITY] * 1001 + 1000 - record[WEIGHT]
end

local function makeReady(record)
  record[PLACE], record[READY_AT] = 'r', now
  save(record)
  redis.call('ZADD', readyKey(handlerOf(record)), toScore(record), memberOf(record))
end

local function keyOf(handler, idempotency)
  return base .. 'key:' .. handler .. '/' .. idempotency
end

local function holderOf(key)
  local holder = redis.pcall('GET', key)
  return type(holder) == 'string' and holder or nil
end

-- state is that in which the task has ended; kf beside its record says that a failure frees its key too.
local function endKey(record, state)
  if record[KEY_BYTES] == 0 then return end
  local key = keyOf(handlerOf(record), idempotencyOf(record))
  if holderOf(key) ~= record[REST] then return end
  local left = record[HELD_UNTIL] - now
  if state == 'k' or left <= 0 or (state == 'f' and lookBeside(record, 'kf')) then
    redis.call('DEL', key)
  else
    redis.call('PEXPIRE', key, left)
  end
end
`;
