import { LEASED_BYTES } from "../record-format.js";
import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/** Of what one claim promotes, reclaims, sets aside, and makes dead letters: so many of each at most. */
const STEPS_PER_CLAIM = 100;

/** So many tasks are leased by one claim at most. */
const LEASES_PER_CLAIM = 2_000;

/**
 * Leases the best of what is ready in one queue.
 *
 * KEYS: 1 `meta`. Of `args`: 1 an epoch, if there is none yet; 2 request id; 3 length of the leases in ms; 4
 * permits, -1 for no limit; 5 the error of a crash loop, with `@rest@` and 987654321 in place of the id and
 * the deliveries; 6 how long its outcome is kept; 7 how many lanes; 8 how many handlers. Then the free slots
 * of each lane; then for each handler its name, its lane counted from 1, its room or -1.
 *
 * Returns the epoch, the last sequence, the cost that it stopped at or -1, ms until more is due or -1, how
 * many leases had expired; four for each crashed one: the rest of its id, handler, deliveries, attempts; two
 * for each lease: the head of the record as it is, as far as the length of the lease, with the rest of the id
 * behind it, and the record as it was before; and when they were leased, in ms.
 *
 * Made again, it gives those of the same leases that are still held, and no others.
 */
export const CLAIM = createScript(
  "claim",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
local STEPS, LEASES, BYTES = ${STEPS_PER_CLAIM}, ${LEASES_PER_CLAIM}, 8388608
-- What a claim changes in a record: its head, as far as the length of the lease.
local LEASED, LEASED_BYTES = '>c1c1c1I7I6I2I4I6I6', ${LEASED_BYTES}
local lease, permits = tonumber(args[3]), tonumber(args[4])
if permits < 0 then permits = math.huge end
local request = base .. 'claim:' .. args[2]

local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = args[1]
  redis.call('HSET', meta, 'epoch', epoch)
end

-- Before anything is leased: what cannot be read in the answer would make it none.
if not string.find(redis.call('HGET', meta, 'sequence') or '0', '^%d+$') then count('sequence', 0) end

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

local function answer(stoppedAt, due, reclaimed, crashed, tasks, waitedUntil)
  local sequence = redis.call('HGET', meta, 'sequence') or '0'
  local stopped = string.format('%.17g', stoppedAt)
  return { epoch, sequence, stopped, due, reclaimed, crashed, tasks, waitedUntil, now }
end

-- The same claim again.
local before = redis.pcall('GET', request)
if type(before) == 'string' then
  local isRead, claim = pcall(cmsgpack.unpack, before)
  if not isRead or type(claim) ~= 'table' or not claim.leases then claim = { leases = {}, crashed = {} } end
  local tasks, later = {}, claim.later or {}
  for _, rest in ipairs(claim.leases) do
    local record = loadRecord(rest)
    if record and record[PLACE] == 'l' and record[TOKEN] == (later[rest] or claim.token) then
      local text, last = redis.call('GET', record[KEY]), #tasks
      tasks[last + 1], tasks[last + 2] = string.sub(text, 1, LEASED_BYTES) .. rest, text
    end
  end
  local stoppedAt, reclaimed = claim.stoppedAt or -1, claim.reclaimed or 0
  return answer(stoppedAt, nextDue(claim.cut), reclaimed, claim.crashed, tasks, claim.at or now)
end

prune()

-- Where the server's clock was set back, no lease lasts longer than it was given for.
local far = redis.call('ZRANGE', leased, 0, 9, 'REV', 'WITHSCORES')
if far[2] and tonumber(far[2]) > now + lease then
  for i = 1, #far, 2 do
    local record = loadRecord(far[i])
    local most = now + (record and record[PLACE] == 'l' and record[LEASE] or lease)
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
    elseif (record[PLACE] ~= 'd' and record[PLACE] ~= 'b') or memberOf(record) ~= member then
      setAside('misplaced', rest)
    else
      if record[PLACE] == 'd' then record[NUMBER] = nextSequence() end
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
    elseif record[PLACE] ~= 'l' then
      setAside('misplaced', rest)
    else
      reclaimed = reclaimed + 1
      if not cancelIfAsked(record) then makeReady(record) end
    end
  end
  return reclaimed
end

local moved = promote()
local reclaimed = reclaim()
moved = moved + reclaimed

local at, slots, handlers, open = 9, {}, {}, 0
for lane = 1, tonumber(args[7]) do
  slots[lane] = tonumber(args[at])
  open = open + slots[lane]
  at = at + 1
end
local window = math.max(1, math.min(STEPS, open, math.ceil(2 * open / math.max(1, tonumber(args[8])))))
for index = 1, tonumber(args[8]) do
  local room = tonumber(args[at + 2])
  handlers[index] = {
    name = args[at], lane = tonumber(args[at + 1]), room = room < 0 and math.huge or room,
    heads = {}, at = 1, offset = 0, taken = {},
  }
  at = at + 3
end

local isAlone = #handlers == 1 -- then nobody compares scores

local function look(handler)
  if handler.at > #handler.heads and not handler.isEmpty then
    local key, first = readyKey(handler.name), handler.offset
    if isAlone then
      handler.heads = redis.call('ZRANGE', key, first, first + window - 1)
    else
      handler.heads = redis.call('ZRANGE', key, first, first + window - 1, 'WITHSCORES')
    end
    handler.offset, handler.at = first + window, 1
    handler.isEmpty = #handler.heads == 0
  end
  return not handler.isEmpty
end

local function best()
  local chosen, score, member
  for index = 1, #handlers do
    local handler = handlers[index]
    if handler.room >= 1 and (slots[handler.lane] or 0) >= 1 and look(handler) then
      local itsMember = handler.heads[handler.at]
      if isAlone then return handler, itsMember end
      local itsScore = tonumber(handler.heads[handler.at + 1])
      if not chosen or itsScore < score or (itsScore == score and itsMember < member) then
        chosen, score, member = handler, itsScore, itsMember
      end
    end
  end
  return chosen, member
end

local stoppedAt, crashed, tasks, leases, later, scores, expiry = -1, {}, {}, {}, {}, {}, whole(now + lease)
local isCut, bytes, strange = false, 0, 0

local function setAsideHead(member, why)
  strange = strange + 1
  local rest = string.sub(member, 13)
  if why == 'misplaced' then setAside(why, rest) else setAsideRecord(rest, why) end
end

local function buryHead(handler, record)
  local rest, deliveries, last = record[REST], record[DELIVERIES], #crashed
  crashed[last + 1], crashed[last + 2], crashed[last + 3], crashed[last + 4] =
    rest, handler.name, deliveries, record[ATTEMPTS]
  local failure = fill(fill(args[5], '@rest@', rest), '987654321', whole(deliveries))
  bury(record, 'crash-loop', failure, '0', tonumber(args[6]))
end

-- Leases a head, or does with it what it takes instead; false where it costs too much. Nothing is done more
-- often: so it makes no list of all that stands in the record.
local function take(handler, member)
  local rest = string.sub(member, 13)
  local key = base .. 't:' .. rest
  local text = redis.pcall('GET', key)
  if not text then return setAsideHead(member, 'missing') end
  if type(text) ~= 'string' then return setAsideHead(member, 'wrong-type') end
  if #text < FIXED_BYTES then return setAsideHead(member, 'half') end
  local place, _, beside, token, number, deliveries, attempts, readyAt, _, _, _, _, _, _, _, cost, most,
    handlerBytes, keyBytes, markBytes, envelopeBytes, payloadBytes = struct.unpack(FIXED, text)
  local size = FIXED_BYTES + handlerBytes + keyBytes + markBytes + envelopeBytes + payloadBytes
  if not PLACES[place] or handlerBytes == 0 or not (cost >= 0) or #text ~= size then
    return setAsideHead(member, 'half')
  end
  local name = string.sub(text, FIXED_BYTES + 1, FIXED_BYTES + handlerBytes)
  local belongs = place == 'r' and name == handler.name and toMember(number, rest) == member
  if not belongs then return setAsideHead(member, 'misplaced') end
  if deliveries >= most then return buryHead(handler, (parse(rest, key, text))) end
  if cost > permits then
    stoppedAt = cost
    return false
  end
  if token < micros then
    token = micros
  else
    token = token + 1
    later[rest] = token
  end
  deliveries = deliveries < 65535 and deliveries + 1 or deliveries
  local head = struct.pack(LEASED, 'l', '-', beside, token, number, deliveries, attempts, readyAt, lease)
  redis.call('SETRANGE', key, '0', head)
  local last = #tasks
  tasks[last + 1], tasks[last + 2] = head .. rest, text
  last = #scores
  scores[last + 1], scores[last + 2] = expiry, rest
  leases[#leases + 1] = rest
  permits = permits - cost
  handler.room = handler.room - 1
  slots[handler.lane] = slots[handler.lane] - 1
  bytes = bytes + size
end

local handler, member = best()
while handler do
  if take(handler, member) == false then break end
  handler.taken[#handler.taken + 1] = member
  handler.at = handler.at + (isAlone and 1 or 2)
  isCut = #leases == LEASES or #crashed == 4 * STEPS or strange == STEPS or bytes > BYTES
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
if moved > #leases + (#crashed / 4) then woken = true end
-- One that came to nothing too: a copy that arrives late must not take leases of which nobody hears.
local claim = { at = now, token = micros, leases = leases, crashed = crashed }
if next(later) then claim.later = later end
claim.stoppedAt, claim.cut, claim.reclaimed = stoppedAt, isCut, reclaimed
redis.call('SET', request, cmsgpack.pack(claim), 'PX', whole(lease))
tell()
return answer(stoppedAt, nextDue(isCut), reclaimed, crashed, tasks, now)
`,
);
