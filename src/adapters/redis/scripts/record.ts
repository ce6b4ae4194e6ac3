/**
 * What all scripts begin with. `KEYS[1]` is the key `meta` of a queue; every other key of it has the same
 * beginning, and with it the same hash tag. `ARGV` is 1, 2 how many dead letters are kept, and for how many
 * milliseconds; 3 a list of texts in MessagePack, which is `args`. Time is the server's. `setAside` notes
 * what is damaged, in a bounded list, so that it cannot block what is sound. `loadRecord` gives a record, or
 * nil and why not.
 */
export const RECORD = `
local meta = KEYS[1]
local base = string.sub(meta, 1, -5)
local delayed, leased, dead = base .. 'delayed', base .. 'leased', base .. 'dead'
local finished, quarantine = base .. 'finished', base .. 'quarantine'
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

-- What the caller says beside the limits: a list of texts.
local args = cmsgpack.unpack(ARGV[3])

local function whole(number)
  return string.format('%.0f', number)
end

-- Counts in the key meta; what is no number there is begun anew, where later numbers are larger all the same.
local function count(field, by)
  local counted = redis.pcall('HINCRBY', meta, field, by)
  if type(counted) == 'number' then return counted end
  redis.call('HSET', meta, field, now)
  return now
end

-- A number that can be reckoned with; false for anything else.
local function asNumber(text, otherwise)
  if not text then return otherwise end
  local number = tonumber(text)
  if not number or number ~= number or math.abs(number) > 9007199254740992 then return false end
  return number
end

local function setAside(reason, what)
  if redis.call('TYPE', quarantine).ok ~= 'zset' then redis.call('DEL', quarantine) end
  redis.call('ZADD', quarantine, now, reason .. ' ' .. what)
  redis.call('ZREMRANGEBYRANK', quarantine, 0, -1001)
  count('quarantined', 1)
end

local function expectType(key, kind)
  local found = redis.call('TYPE', key).ok
  if found == kind or found == 'none' then return end
  local name = string.sub(key, #base + 1)
  redis.call('RENAME', key, base .. 'strange:' .. name)
  redis.call('PEXPIRE', base .. 'strange:' .. name, 1209600000)
  setAside('wrong-type', name)
end

expectType(meta, 'hash')
expectType(delayed, 'zset')
expectType(leased, 'zset')
expectType(dead, 'zset')
expectType(finished, 'zset')

local readyKeys = {}

local function readyKey(handler)
  local key = readyKeys[handler]
  if not key then
    key = base .. 'ready:' .. handler
    expectType(key, 'zset')
    readyKeys[handler] = key
  end
  return key
end

-- What sorts as the number does, before the id in an index. A record has the number, which takes less.
local function toSequence(number)
  return string.format('%012x', tonumber(number) or 0)
end

local function loadRecord(rest)
  local key = base .. 't:' .. rest
  local v = redis.pcall('HMGET', key, 'p', 'h', 's', 'n', 't', 'o', 'w', 'a', 'k', 'l',
    'ik', 'iu', 'ce', 'ct', 'ou')
  if v.err then return nil, 'wrong-type' end
  if not (v[1] and v[2] and v[3] and v[4]) then
    if redis.call('EXISTS', key) == 0 then return nil, 'missing' end
    return nil, 'half'
  end
  local record = {
    rest = rest, key = key, fields = {}, place = v[1], handler = v[2], number = v[3], token = v[5],
    priority = asNumber(v[6], 0), weight = asNumber(v[7], 1), attempts = asNumber(v[8], 0),
    settled = v[9], pieces = asNumber(v[10], 0), idempotency = v[11], heldUntil = asNumber(v[12], 0),
    cancelError = v[13], cancelTtl = asNumber(v[14], 0), outcomeUntil = asNumber(v[15], 0),
  }
  local isSound = asNumber(v[3]) and asNumber(v[4]) and record.priority and record.weight
    and record.attempts and record.pieces and record.pieces <= 16 and record.heldUntil
    and record.cancelTtl and record.outcomeUntil
  if not isSound then return nil, 'half' end
  return record
end

local function setAsideRecord(rest, why)
  setAside(why, rest)
  if why == 'half' then
    redis.call('HSET', base .. 't:' .. rest, 'p', 'q')
    redis.call('PEXPIRE', base .. 't:' .. rest, 1209600000)
  end
end
`;

/**
 * Moves between places. `leave` takes a record out of the index of its place; whoever calls it puts it into
 * another one. What is put into a record is written by `save`. Outcomes to be found, and what is to be told
 * of, are collected, and `tell` deals with them in one go.
 */
export const MOVES = `
local woken, ended, asked, outcomes = false, {}, {}, {}

local function tell()
  for at = 1, #outcomes, 1000 do
    redis.call('ZADD', finished, unpack(outcomes, at, math.min(at + 999, #outcomes)))
  end
  local channel = base .. 'signals'
  if woken then redis.call('PUBLISH', channel, 'w') end
  if #asked > 0 then redis.call('PUBLISH', channel, 'c' .. table.concat(asked, ' ')) end
  if #ended > 0 then redis.call('PUBLISH', channel, 'f' .. table.concat(ended, ' ')) end
end

local function nextSequence()
  return whole(count('sequence', 1))
end

-- In an index that is ordered among equals.
local function memberOf(record)
  return toSequence(record.number) .. record.rest
end

local function leave(record)
  local place = record.place
  if place == 'r' then
    redis.call('ZREM', readyKey(record.handler), memberOf(record))
  elseif place == 'd' or place == 'b' then
    redis.call('ZREM', delayed, memberOf(record))
  elseif place == 'l' then
    redis.call('ZREM', leased, record.rest)
  elseif place == 'x' then
    redis.call('ZREM', dead, record.rest)
  end
end

local function put(record, field, value)
  local fields = record.fields
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end

-- Writes what was put, at once: each command costs more than what it does.
local function save(record)
  if #record.fields > 0 then redis.call('HSET', record.key, unpack(record.fields)) end
  record.fields = {}
end

local function makeReady(record)
  local score = record.priority * 1001 + 1000 - record.weight
  put(record, 'p', 'r')
  put(record, 's', record.number)
  put(record, 'y', now)
  save(record)
  redis.call('ZADD', readyKey(record.handler), score, memberOf(record))
end

local function keyOf(handler, idempotency)
  return base .. 'key:' .. handler .. '/' .. idempotency
end

local function holderOf(key)
  local holder = redis.pcall('GET', key)
  return type(holder) == 'string' and holder or nil
end

local function endKey(record, state)
  if not record.idempotency then return end
  local key = keyOf(record.handler, record.idempotency)
  if holderOf(key) ~= record.rest then return end
  local left = record.heldUntil - now
  if state == 'cancelled' or left <= 0 then
    redis.call('DEL', key)
  else
    redis.call('PEXPIRE', key, whole(left))
  end
end
`;

/**
 * Ends. What a task came to is kept until `ou`; that there was such a task is known for a minute at least,
 * so that the write which ended it can be made again. A call drops a bounded number of the dead letters that
 * are too many or too old.
 */
export const ENDS = `
local maxDead, deadTtl = tonumber(ARGV[1]), tonumber(ARGV[2])
local died = 0

local function keepOutcome(record)
  local gone = { 'l', 'z', 'y', 'ce', 'ct' }
  for piece = 0, record.pieces - 1 do gone[#gone + 1] = piece end
  redis.call('HDEL', record.key, unpack(gone))
  local left = record.outcomeUntil - now
  redis.call('PEXPIRE', record.key, whole(math.max(left, 60000)))
  if left > 0 then
    outcomes[#outcomes + 1] = whole(record.outcomeUntil)
    outcomes[#outcomes + 1] = record.rest
  end
end

local function noteEnd(record, place, state, reason, ttl)
  record.outcomeUntil = now + ttl
  put(record, 'p', place)
  put(record, 'os', state)
  put(record, 'ou', whole(record.outcomeUntil))
  if reason ~= '' then put(record, 'or', reason) end
  save(record)
  endKey(record, state)
  ended[#ended + 1] = record.rest
end

-- Puts a text into a template; in a plain replacement, signs of percent would have a meaning.
local function fill(template, place, text)
  return (string.gsub(template, place, function() return text end))
end

local function finish(record, state, reason, ttl)
  noteEnd(record, 'f', state, reason, ttl)
  keepOutcome(record)
end

local function cancelNow(record, reason, ttl)
  put(record, 'oq', reason)
  finish(record, 'cancelled', 'cancelled', ttl)
end

local function dropDead(rest)
  redis.call('ZREM', dead, rest)
  local record, why = loadRecord(rest)
  if not record then return setAsideRecord(rest, why) end
  if record.place ~= 'x' then return setAside('misplaced', rest) end
  redis.call('HSET', record.key, 'p', 'f')
  keepOutcome(record)
  count('deadDropped', 1)
end

local function dropTooMany(steps)
  local excess = math.min(redis.call('ZCARD', dead) - maxDead, steps)
  if excess <= 0 then return end
  for _, rest in ipairs(redis.call('ZRANGE', dead, 0, excess - 1)) do dropDead(rest) end
end

local function bury(record, reason, ttl)
  died = died + 1
  redis.call('ZADD', dead, whole(micros + died), record.rest)
  if record.cancelError then redis.call('HDEL', record.key, 'ce', 'ct') end
  noteEnd(record, 'x', 'failed', reason, ttl)
end

local function prune()
  local cutoff = whole(micros - deadTtl * 1000)
  local old = redis.call('ZRANGE', dead, '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, 100)
  for _, rest in ipairs(old) do dropDead(rest) end
  local over = redis.call('ZRANGE', finished, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1000)
  if #over > 0 then redis.call('ZREM', finished, unpack(over)) end
end
`;
