import { HEAD_BYTES, SMALLEST_BYTES } from "../record-format.js";

/**
 * What all scripts begin with. `KEYS[1]` is the key `meta` of a queue; every other key of it has the same
 * beginning, and with it the same hash tag. `ARGV` is 1, 2 how many dead letters are kept, and for how many
 * milliseconds; 3 a list of texts in MessagePack, which is `args`. Time is the server's. `setAside` notes
 * what is damaged, in a bounded list, so that it cannot block what is sound.
 */
export const STORE = `
local meta = KEYS[1]
local base = string.sub(meta, 1, -5)
local delayed, leased, dead = base .. 'delayed', base .. 'leased', base .. 'dead'
local finished, quarantine = base .. 'finished', base .. 'quarantine'
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

-- What the caller says beside the limits: a list of texts.
local args = cmsgpack.unpack(ARGV[3])

-- A number as commands take it. A call says the same few again and again, and writing them out is slow.
local written = {}

local function whole(number)
  local text = written[number]
  if not text then
    text = string.format('%.0f', number)
    written[number] = text
  end
  return text
end

-- Counts in the key meta; what is no number there, or has no room in a record, is begun anew, where later
-- numbers are larger all the same.
local function count(field, by)
  local counted = redis.pcall('HINCRBY', meta, field, by)
  if type(counted) == 'number' and counted >= 0 and counted < 140737488355328 then return counted end
  redis.call('HSET', meta, field, now)
  return now
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
`;

/**
 * Records, as `record-format.ts` describes them. `loadRecord` reads one as far as its payload, and gives nil
 * and why where there is none; `parse` reads one that is there whole. What is changed in a record is kept by
 * `save`, in place. What few tasks have is beside it, in a hash.
 */
export const RECORD = `
local PLACES = { r = true, d = true, b = true, l = true, x = true, f = true }
local HEAD, FIXED = '>c1c1c1I7I6I2I4I6I6I6I6I6I6', '>c1c1c1I7I6I2I4I6I6I6I6I6I6i4I2dI3I1I2I1I4I4'
local HEAD_BYTES, FIXED_BYTES, LOOK_BYTES = ${HEAD_BYTES}, ${SMALLEST_BYTES}, 512

-- A record is a list: the rest of its id, its key, its text, and what stands in the text.
local REST, KEY, TEXT, PLACE, SETTLED, BESIDE, TOKEN = 1, 2, 3, 4, 5, 6, 7
local NUMBER, DELIVERIES, ATTEMPTS = 8, 9, 10
local READY_AT, LEASE, OUTCOME_UNTIL, REPLAYED_AT, ENQUEUED_AT, HELD_UNTIL = 11, 12, 13, 14, 15, 16
local PRIORITY, WEIGHT, COST, MOST = 17, 18, 19, 20
local HANDLER_BYTES, KEY_BYTES, MARK_BYTES, ENVELOPE_BYTES, PAYLOAD_BYTES = 21, 22, 23, 24, 25

local function parse(rest, key, text)
  if #text < FIXED_BYTES then return nil, 'half' end
  local record = { rest, key, text, struct.unpack(FIXED, text) }
  local isSound = PLACES[record[PLACE]] and record[HANDLER_BYTES] > 0 and record[COST] >= 0
  if not isSound then return nil, 'half' end
  return record
end

-- How far it goes without payload or outcome.
local function bodyBytes(record)
  return FIXED_BYTES + record[HANDLER_BYTES] + record[KEY_BYTES] + record[MARK_BYTES] + record[ENVELOPE_BYTES]
end

local function loadRecord(rest)
  local key = base .. 't:' .. rest
  local text = redis.pcall('GETRANGE', key, '0', '511')
  if type(text) ~= 'string' then return nil, 'wrong-type' end
  if text == '' then return nil, 'missing' end
  local record, why = parse(rest, key, text)
  if record and bodyBytes(record) > #text then
    if #text == LOOK_BYTES then record[TEXT] = redis.call('GETRANGE', key, 0, bodyBytes(record) - 1) end
    if #record[TEXT] < bodyBytes(record) then return nil, 'half' end
  end
  return record, why
end

local function toHead(record)
  return struct.pack(HEAD, unpack(record, PLACE, HELD_UNTIL))
end

local function save(record)
  redis.call('SETRANGE', record[KEY], '0', toHead(record))
end

local function handlerOf(record)
  return string.sub(record[TEXT], FIXED_BYTES + 1, FIXED_BYTES + record[HANDLER_BYTES])
end

local function idempotencyOf(record)
  local at = FIXED_BYTES + record[HANDLER_BYTES]
  return string.sub(record[TEXT], at + 1, at + record[KEY_BYTES])
end

local function markOf(record)
  local at = FIXED_BYTES + record[HANDLER_BYTES] + record[KEY_BYTES]
  return string.sub(record[TEXT], at + 1, at + record[MARK_BYTES])
end

-- What few tasks have: errors, progress, the wish that they be cancelled.
local function besideKey(record)
  return base .. 'x:' .. record[REST]
end

local function putBeside(record, ...)
  local key = besideKey(record)
  if record[BESIDE] == 'x' then
    expectType(key, 'hash')
  else
    redis.call('DEL', key) -- of a task that had this id before
  end
  redis.call('HSET', key, ...)
  record[BESIDE] = 'x'
end

local function lookBeside(record, field)
  if record[BESIDE] ~= 'x' then return nil end
  local found = redis.pcall('HGET', besideKey(record), field)
  return type(found) == 'string' and found or nil
end

local function dropBeside(record, ...)
  if record[BESIDE] ~= 'x' then return end
  local key = besideKey(record)
  expectType(key, 'hash')
  redis.call('HDEL', key, ...)
end

local function setAsideRecord(rest, why)
  setAside(why, rest)
  if why ~= 'half' then return end
  redis.call('SETRANGE', base .. 't:' .. rest, '0', '?') -- so that nobody takes it for whole
  redis.call('PEXPIRE', base .. 't:' .. rest, 1209600000)
  redis.call('PEXPIRE', base .. 'x:' .. rest, 1209600000)
end
`;
