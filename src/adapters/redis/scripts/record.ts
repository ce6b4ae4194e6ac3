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
local HEAD, FIXED = '>c1c1c1I7I6I3I3I6I6I6I6I6I6', '>c1c1c1I7I6I3I3I6I6I6I6I6I6i4I2dI3I1I2I1I4I4'
local HEAD_BYTES, FIXED_BYTES, LOOK_BYTES = ${HEAD_BYTES}, ${SMALLEST_BYTES}, 512

local function parse(rest, key, text)
  if #text < FIXED_BYTES then return nil, 'half' end
  local place, settled, beside, token, number, deliveries, attempts, readyAt, lease, outcomeUntil, replayedAt,
    enqueuedAt, heldUntil, priority, weight, cost, most, handlerBytes, keyBytes, markBytes, envelopeBytes,
    payloadBytes = struct.unpack(FIXED, text)
  local bodyBytes = FIXED_BYTES + handlerBytes + keyBytes + markBytes + envelopeBytes
  if not PLACES[place] or handlerBytes == 0 or not (cost >= 0) then return nil, 'half' end
  return {
    rest = rest, key = key, text = text, place = place, settled = settled, beside = beside, token = token,
    number = number, deliveries = deliveries, attempts = attempts, readyAt = readyAt, lease = lease,
    outcomeUntil = outcomeUntil, replayedAt = replayedAt, enqueuedAt = enqueuedAt, heldUntil = heldUntil,
    priority = priority, weight = weight, cost = cost, most = most, keyBytes = keyBytes, markBytes = markBytes,
    handler = string.sub(text, FIXED_BYTES + 1, FIXED_BYTES + handlerBytes), keyAt = FIXED_BYTES + handlerBytes,
    bodyBytes = bodyBytes, payloadBytes = payloadBytes,
  }
end

local function loadRecord(rest)
  local key = base .. 't:' .. rest
  local text = redis.pcall('GETRANGE', key, '0', '511')
  if type(text) ~= 'string' then return nil, 'wrong-type' end
  if text == '' then return nil, 'missing' end
  local record, why = parse(rest, key, text)
  if record and record.bodyBytes > #text then
    if #text == LOOK_BYTES then record.text = redis.call('GETRANGE', key, 0, record.bodyBytes - 1) end
    if #record.text < record.bodyBytes then return nil, 'half' end
  end
  return record, why
end

local function toHead(record)
  return struct.pack(HEAD, record.place, record.settled, record.beside, record.token, record.number,
    record.deliveries, record.attempts, record.readyAt, record.lease, record.outcomeUntil, record.replayedAt,
    record.enqueuedAt, record.heldUntil)
end

local function save(record)
  redis.call('SETRANGE', record.key, '0', toHead(record))
end

local function idempotencyOf(record)
  return string.sub(record.text, record.keyAt + 1, record.keyAt + record.keyBytes)
end

local function markOf(record)
  local at = record.keyAt + record.keyBytes
  return string.sub(record.text, at + 1, at + record.markBytes)
end

-- What few tasks have: errors, progress, the wish that they be cancelled.
local function besideKey(record)
  return base .. 'x:' .. record.rest
end

local function putBeside(record, ...)
  local key = besideKey(record)
  expectType(key, 'hash')
  redis.call('HSET', key, ...)
  record.beside = 'x'
end

local function lookBeside(record, field)
  if record.beside ~= 'x' then return nil end
  local found = redis.pcall('HGET', besideKey(record), field)
  return type(found) == 'string' and found or nil
end

local function dropBeside(record, ...)
  if record.beside ~= 'x' then return end
  local key = besideKey(record)
  expectType(key, 'hash')
  redis.call('HDEL', key, ...)
end

local function setAsideRecord(rest, why)
  setAside(why, rest)
  if why == 'half' then redis.call('PEXPIRE', base .. 't:' .. rest, 1209600000) end
end
`;
