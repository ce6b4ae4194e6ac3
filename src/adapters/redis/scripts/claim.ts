import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";

/** Of what one claim promotes, reclaims, sets aside, and makes dead letters: so many of each at most. */
export const STEPS_PER_CLAIM = 100;

/** So many tasks are leased by one claim at most. */
export const LEASES_PER_CLAIM = 2_000;

/**
 * Leases the best of what is ready in one queue.
 *
 * KEYS: 1 `meta`. ARGV: 1, 2 limits of dead letters; 3 an epoch, if there is none yet; 4 request id; 5 length
 * of the leases in ms; 6 permits, -1 for no limit; 7 the error of a crash loop, with `@rest@` and 987654321 in
 * place of the id and the deliveries; 8 how long its outcome is kept; 9 how many lanes; 10 how many handlers.
 * Then the free slots of each lane; then for each handler its name, its lane counted from 1, its room or -1.
 *
 * Returns the epoch, the last sequence, the cost that it stopped at or -1, ms until more is due or -1, how
 * many leases had expired, the crashed ones as flat triples, and for each lease: the rest of the id, token,
 * deliveries, wait in ms, all of the record.
 *
 * Made again, it gives those of the same leases that are still held.
 */
export const CLAIM = createScript(
  "claim",
  true,
  RECORD,
  MOVES,
  ENDS,
  `
local STEPS, LEASES, BYTES = ${STEPS_PER_CLAIM}, ${LEASES_PER_CLAIM}, 8388608
local lease, permits = tonumber(ARGV[5]), tonumber(ARGV[6])
if permits < 0 then permits = math.huge end
local request = base .. 'claim:' .. ARGV[4]

local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = ARGV[3]
  redis.call('HSET', meta, 'epoch', epoch)
end

local function nextDue(isCut)
  if isCut then return 0 end
  local due = math.huge
  for _, index in ipairs({ delayed, leased }) do
    local head = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
    if head then due = math.min(due, tonumber(head)) end
  end
  if due == math.huge then return -1 end
  return math.max(0, math.ceil(due - now))
end

local function answer(stoppedAt, due, reclaimed, crashed, tasks)
  local sequence = redis.call('HGET', meta, 'sequence') or '0'
  return { epoch, sequence, stoppedAt, due, reclaimed, crashed, tasks }
end

-- The same claim again.
local before = redis.pcall('GET', request)
if type(before) == 'string' then
  local claim = cmsgpack.unpack(before)
  local tasks = {}
  for _, one in ipairs(claim.leases) do
    local record = loadRecord(one[1])
    if record and record.place == 'l' and record.token == whole(one[2]) then
      tasks[#tasks + 1] = { one[1], whole(one[2]), one[3], one[4], redis.call('HGETALL', record.key) }
    end
  end
  return answer(claim.stoppedAt, nextDue(claim.cut), claim.reclaimed, claim.crashed, tasks)
end

prune()

-- Where the server's clock was set back, no lease lasts longer than it was given for.
local far = redis.call('ZRANGE', leased, 0, 9, 'REV', 'WITHSCORES')
if far[2] and tonumber(far[2]) > now + lease then
  for i = 1, #far, 2 do
    local given = redis.pcall('HGET', base .. 't:' .. far[i], 'z')
    local most = now + (type(given) == 'string' and tonumber(given) or lease)
    if tonumber(far[i + 1]) > most then redis.call('ZADD', leased, 'XX', most, far[i]) end
  end
end

local function promote()
  local due = redis.call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, STEPS)
  if #due == 0 then return 0 end
  redis.call('ZREM', delayed, unpack(due))
  for _, member in ipairs(due) do
    local rest = string.sub(member, 13)
    local record, why = loadRecord(rest)
    if not record then
      setAsideRecord(rest, why)
    elseif (record.place ~= 'd' and record.place ~= 'b') or record.sequence .. rest ~= member then
      setAside('misplaced', rest)
    else
      if record.place == 'd' then record.sequence = nextSequence() end
      makeReady(record)
    end
  end
  return #due
end

-- What was to be cancelled is not given to anybody again.
local function reclaim()
  local expired = redis.call('ZRANGE', leased, '-inf', now, 'BYSCORE', 'LIMIT', 0, STEPS)
  local reclaimed = 0
  if #expired == 0 then return 0 end
  redis.call('ZREM', leased, unpack(expired))
  for _, rest in ipairs(expired) do
    local record, why = loadRecord(rest)
    if not record then
      setAsideRecord(rest, why)
    elseif record.place ~= 'l' then
      setAside('misplaced', rest)
    else
      reclaimed = reclaimed + 1
      if record.cancelError then
        cancelNow(record, record.cancelError, record.cancelTtl)
      else
        makeReady(record)
      end
    end
  end
  return reclaimed
end

local moved = promote()
local reclaimed = reclaim()
moved = moved + reclaimed

local at, slots, handlers, open = 11, {}, {}, 0
for lane = 1, tonumber(ARGV[9]) do
  slots[lane] = tonumber(ARGV[at])
  open = open + slots[lane]
  at = at + 1
end
local window = math.max(1, math.min(STEPS, math.ceil(2 * open / math.max(1, tonumber(ARGV[10])))))
for index = 1, tonumber(ARGV[10]) do
  local room = tonumber(ARGV[at + 2])
  handlers[index] = {
    name = ARGV[at], lane = tonumber(ARGV[at + 1]), room = room < 0 and math.huge or room,
    heads = {}, at = 1, offset = 0, taken = {},
  }
  at = at + 3
end

local function look(handler)
  if handler.at > #handler.heads and not handler.isEmpty then
    local key = readyKey(handler.name)
    if handler.offset == 0 then expectType(key, 'zset') end
    local last = handler.offset + window - 1
    handler.heads = redis.call('ZRANGE', key, handler.offset, last, 'WITHSCORES')
    handler.offset = handler.offset + window
    handler.at = 1
    handler.isEmpty = #handler.heads == 0
  end
  return not handler.isEmpty
end

local function best()
  local chosen, score, member
  for _, handler in ipairs(handlers) do
    if handler.room >= 1 and (slots[handler.lane] or 0) >= 1 and look(handler) then
      local itsMember, itsScore = handler.heads[handler.at], tonumber(handler.heads[handler.at + 1])
      if not chosen or itsScore < score or (itsScore == score and itsMember < member) then
        chosen, score, member = handler, itsScore, itsMember
      end
    end
  end
  return chosen, member
end

-- Everything of a record, and what is needed of it here; nil and why not, where it cannot be leased.
local function readHead(handler, member)
  local rest = string.sub(member, 13)
  local flat = redis.pcall('HGETALL', base .. 't:' .. rest)
  if flat.err then return nil, 'wrong-type' end
  if #flat == 0 then return nil, 'missing' end
  local found, bytes = {}, 0
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
    bytes = bytes + #flat[i + 1]
  end
  if not (found.p and found.h and found.s and found.n) then return nil, 'half' end
  if found.p ~= 'r' or found.h ~= handler.name or toSequence(found.s) .. rest ~= member then return nil, 'misplaced' end
  return found, flat, bytes, rest
end

local stoppedAt, crashed, tasks, leases, scores = -1, {}, {}, {}, {}
local isCut, bytes, strange = false, 0, 0
local handler, member = best()
while handler do
  local found, flat, size, rest = readHead(handler, member)
  if not found then
    strange = strange + 1
    local name = string.sub(member, 13)
    if flat == 'misplaced' then setAside(flat, name) else setAsideRecord(name, flat) end
  else
    local deliveries, cost = tonumber(found.d or 0), tonumber(found.c or 1)
    if deliveries >= tonumber(found.m or 10) then
      crashed[#crashed + 1] = rest
      crashed[#crashed + 1] = handler.name
      crashed[#crashed + 1] = deliveries
      local text = fill(fill(ARGV[7], '@rest@', rest), '987654321', whole(deliveries))
      local record = loadRecord(rest)
      redis.call('HDEL', record.key, 'er')
      redis.call('HSET', record.key, 'oe', text, 'oc', '0')
      bury(record, 'crash-loop', tonumber(ARGV[8]))
    elseif cost > permits then
      stoppedAt = cost
      break
    else
      local token = math.max(tonumber(found.t or 0) + 1, micros)
      local wait = math.max(0, now - tonumber(found.y or found.n))
      redis.call('HSET', base .. 't:' .. rest, 'p', 'l', 't', whole(token), 'd', deliveries + 1, 'z', lease)
      scores[#scores + 1] = whole(now + lease)
      scores[#scores + 1] = rest
      leases[#leases + 1] = { rest, token, deliveries + 1, wait }
      tasks[#tasks + 1] = { rest, whole(token), deliveries + 1, wait, flat }
      permits = permits - cost
      handler.room = handler.room - 1
      slots[handler.lane] = slots[handler.lane] - 1
      bytes = bytes + size
    end
  end
  handler.taken[#handler.taken + 1] = member
  handler.at = handler.at + 2
  isCut = #tasks == LEASES or #crashed == 3 * STEPS or strange == STEPS or bytes > BYTES
  if isCut then break end
  handler, member = best()
end

for _, one in ipairs(handlers) do
  for i = 1, #one.taken, 1000 do
    redis.call('ZREM', readyKey(one.name), unpack(one.taken, i, math.min(i + 999, #one.taken)))
  end
end
for i = 1, #scores, 1000 do
  redis.call('ZADD', leased, unpack(scores, i, math.min(i + 999, #scores)))
end
if #crashed > 0 then dropTooMany(STEPS) end
if moved > #tasks + #crashed / 3 then woken = true end
if #tasks > 0 or #crashed > 0 or reclaimed > 0 then
  local claim = { leases = leases, stoppedAt = stoppedAt, cut = isCut, reclaimed = reclaimed, crashed = crashed }
  redis.call('SET', request, cmsgpack.pack(claim), 'PX', whole(lease))
end
tell()
return answer(stoppedAt, nextDue(isCut), reclaimed, crashed, tasks)
`,
);
