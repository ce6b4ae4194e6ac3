import { ENDS, MOVES, RECORD } from "./record.js";
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
 * many leases had expired, the crashed ones as flat triples, and for each lease five: the rest of the id;
 * token, deliveries, wait in ms, priority, weight, cost, attempts, instants of enqueuing and of a replay or
 * 0, in one text; handler; envelope; payload.
 *
 * Made again, it gives those of the same leases that are still held, and no others.
 */
export const CLAIM = createScript(
  "claim",
  true,
  RECORD,
  MOVES,
  ENDS,
  `
local STEPS, LEASES, BYTES = ${STEPS_PER_CLAIM}, ${LEASES_PER_CLAIM}, 8388608
local lease, permits = tonumber(args[3]), tonumber(args[4])
if permits < 0 then permits = math.huge end
local request = base .. 'claim:' .. args[2]

local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = args[1]
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

local function join(found, name, count)
  if count == 1 then return found[name .. '0'] or '' end
  local pieces = {}
  for index = 0, count - 1 do
    local piece = found[name .. index]
    if not piece then break end
    pieces[index + 1] = piece
  end
  return table.concat(pieces)
end

local function toFound(flat)
  local found = { p = false, h = false, s = false, n = false, t = false, o = false, w = false, c = false,
    a = false, d = false, m = false, y = false, l = false, u = false, ra = false, e0 = false, e1 = false,
    cost = false, deliveries = false, most = false, last = false, pieces = false, readyAt = false }
  local bytes = 0
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
    bytes = bytes + #flat[i + 1]
  end
  return found, bytes
end

local function addTask(tasks, rest, found, token, deliveries, wait)
  local at = #tasks
  tasks[at + 1] = rest
  tasks[at + 2] = table.concat({ whole(token), whole(deliveries), whole(wait), found.o or 0, found.w or 1,
    found.c or 1, found.a or 0, found.n, whole(asNumber(found.ra, 0) or 0) }, ' ')
  tasks[at + 3] = found.h
  tasks[at + 4] = join(found, 'e', 16)
  tasks[at + 5] = join(found, '', asNumber(found.l, 0) or 0)
end

local function answer(stoppedAt, due, reclaimed, crashed, tasks)
  local sequence = redis.call('HGET', meta, 'sequence') or '0'
  return { epoch, sequence, stoppedAt, due, reclaimed, crashed, tasks }
end

-- The same claim again.
local before = redis.pcall('GET', request)
if type(before) == 'string' then
  local isRead, claim = pcall(cmsgpack.unpack, before)
  if not isRead or type(claim) ~= 'table' or not claim.leases then claim = { leases = {}, crashed = {} } end
  local tasks = {}
  for _, one in ipairs(claim.leases) do
    local record = loadRecord(one[1])
    if record and record.place == 'l' and record.token == whole(one[2]) then
      addTask(tasks, one[1], (toFound(redis.call('HGETALL', record.key))), one[2], one[3], one[4])
    end
  end
  return answer(claim.stoppedAt or -1, nextDue(claim.cut), claim.reclaimed or 0, claim.crashed, tasks)
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
    elseif (record.place ~= 'd' and record.place ~= 'b') or memberOf(record) ~= member then
      setAside('misplaced', rest)
    else
      if record.place == 'd' then record.number = nextSequence() end
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

local at, slots, handlers, open = 9, {}, {}, 0
for lane = 1, tonumber(args[7]) do
  slots[lane] = tonumber(args[at])
  open = open + slots[lane]
  at = at + 1
end
local window = math.max(1, math.min(STEPS, math.ceil(2 * open / math.max(1, tonumber(args[8])))))
for index = 1, tonumber(args[8]) do
  local room = tonumber(args[at + 2])
  handlers[index] = {
    name = args[at], lane = tonumber(args[at + 1]), room = room < 0 and math.huge or room,
    heads = {}, at = 1, offset = 0, taken = {},
  }
  at = at + 3
end

local function look(handler)
  if handler.at > #handler.heads and not handler.isEmpty then
    local last = handler.offset + window - 1
    handler.heads = redis.call('ZRANGE', readyKey(handler.name), handler.offset, last, 'WITHSCORES')
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

-- What a record has, the rest of its id, and its bytes; nil and why not, where it cannot be leased.
local function readHead(handler, member)
  local rest = string.sub(member, 13)
  local flat = redis.pcall('HGETALL', base .. 't:' .. rest)
  if flat.err then return nil, 'wrong-type' end
  if #flat == 0 then return nil, 'missing' end
  local found, bytes = toFound(flat)
  if not (found.p and found.h and asNumber(found.s) and asNumber(found.n)) then return nil, 'half' end
  found.cost, found.deliveries = asNumber(found.c, 1), asNumber(found.d, 0)
  found.most, found.last, found.pieces = asNumber(found.m, 10), asNumber(found.t, 0), asNumber(found.l, 0)
  found.readyAt = asNumber(found.y, tonumber(found.n))
  local isSound = found.cost and found.deliveries and found.most and found.last and found.readyAt
    and found.pieces and found.pieces <= 16 and asNumber(found.o, 0) and asNumber(found.w, 1)
    and asNumber(found.a, 0)
  if not isSound then return nil, 'half' end
  local belongs = found.p == 'r' and found.h == handler.name and toSequence(found.s) .. rest == member
  if not belongs then return nil, 'misplaced' end
  return found, rest, bytes
end

local stoppedAt, crashed, tasks, leases, scores = -1, {}, {}, {}, {}
local isCut, bytes, strange = false, 0, 0
local handler, member = best()
while handler do
  local found, rest, size = readHead(handler, member)
  if not found then
    strange = strange + 1
    local name = string.sub(member, 13)
    if rest == 'misplaced' then setAside(rest, name) else setAsideRecord(name, rest) end
  else
    local deliveries, cost = found.deliveries, found.cost
    if deliveries >= found.most then
      crashed[#crashed + 1] = rest
      crashed[#crashed + 1] = handler.name
      crashed[#crashed + 1] = deliveries
      local text = fill(fill(args[5], '@rest@', rest), '987654321', whole(deliveries))
      local record = loadRecord(rest)
      redis.call('HDEL', record.key, 'er')
      redis.call('HSET', record.key, 'oe', text, 'oc', '0')
      bury(record, 'crash-loop', tonumber(args[6]))
    elseif cost > permits then
      stoppedAt = cost
      break
    else
      local token = math.max(found.last + 1, micros)
      local wait = math.max(0, now - found.readyAt)
      redis.call('HSET', base .. 't:' .. rest, 'p', 'l', 't', whole(token), 'd', deliveries + 1, 'z', lease)
      scores[#scores + 1] = whole(now + lease)
      scores[#scores + 1] = rest
      leases[#leases + 1] = { rest, token, deliveries + 1, wait }
      addTask(tasks, rest, found, token, deliveries + 1, wait)
      permits = permits - cost
      handler.room = handler.room - 1
      slots[handler.lane] = slots[handler.lane] - 1
      bytes = bytes + size
    end
  end
  handler.taken[#handler.taken + 1] = member
  handler.at = handler.at + 2
  isCut = #leases == LEASES or #crashed == 3 * STEPS or strange == STEPS or bytes > BYTES
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
if moved > #leases + #crashed / 3 then woken = true end
-- One that came to nothing too: a copy that arrives late must not take leases of which nobody hears.
local claim = { leases = leases, crashed = crashed }
claim.stoppedAt, claim.cut, claim.reclaimed = stoppedAt, isCut, reclaimed
redis.call('SET', request, cmsgpack.pack(claim), 'PX', whole(lease))
tell()
return answer(stoppedAt, nextDue(isCut), reclaimed, crashed, tasks)
`,
);
