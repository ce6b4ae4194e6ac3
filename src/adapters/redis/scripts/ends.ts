/**
 * Ends. What a task came to is kept in place of its payload, until `outcomeUntil`; that there was such a task
 * is known for a minute at least, so that the write which ended it can be made again. A call drops a bounded
 * number of the dead letters that are too many or too old.
 */
export const ENDS = `
local maxDead, deadTtl = tonumber(ARGV[1]), tonumber(ARGV[2])
local died = 0
local STATES = { failed = 'f', cancelled = 'k' }

-- How a task ended; a value follows where there is one.
local function toOutcome(state, reason, failure, cancelled, charged)
  return struct.pack('>c1c1I1c0I4c0I4c0', STATES[state], charged, #reason, reason, #failure, failure,
    #cancelled, cancelled)
end

local function hasFailure(outcome)
  return struct.unpack('>I4', outcome, 4 + string.byte(outcome, 3)) > 0
end

local function reasonOf(outcome)
  return outcome and #outcome >= 3 and string.sub(outcome, 4, 3 + string.byte(outcome, 3)) or ''
end

local function keepOutcome(record, outcome)
  record[PLACE] = 'f'
  local left = record[OUTCOME_UNTIL] - now
  local ttl = whole(math.max(left, 60000))
  if record[BESIDE] == 'x' then
    dropBeside(record, 'ce', 'ct', 'o')
    redis.call('PEXPIRE', besideKey(record), ttl)
  end
  local text = record[TEXT]
  redis.call('SET', record[KEY], toHead(record) .. string.sub(text, HEAD_BYTES + 1, FIXED_BYTES - 4) ..
    '\\0\\0\\0\\0' .. string.sub(text, FIXED_BYTES + 1, bodyBytes(record)) .. outcome, 'PX', ttl)
  if left > 0 then noteOutcome(record[REST], record[OUTCOME_UNTIL]) end
end

local function noteEnd(record, state, ttl)
  record[OUTCOME_UNTIL] = now + ttl
  endKey(record, state)
  ended[#ended + 1] = record[REST]
end

-- Puts a text into a template; in a plain replacement, signs of percent would have a meaning.
local function fill(template, place, text)
  return (string.gsub(template, place, function() return text end))
end

local function finish(record, outcome, ttl)
  noteEnd(record, string.sub(outcome, 1, 1), ttl)
  keepOutcome(record, outcome)
end

local function cancelNow(record, reason, ttl)
  finish(record, toOutcome('cancelled', 'cancelled', '', reason, '0') .. '0', ttl)
end

-- Where somebody wants that. An attempt that has just failed is told of as well.
local function cancelIfAsked(record)
  local reason = lookBeside(record, 'ce')
  if not reason then return false end
  cancelNow(record, reason, tonumber(lookBeside(record, 'ct')) or 0)
  return true
end

local function dropDead(rest)
  redis.call('ZREM', dead, rest)
  local record, why = loadRecord(rest)
  if not record then return setAsideRecord(rest, why) end
  if record[PLACE] ~= 'x' then return setAside('misplaced', rest) end
  keepOutcome(record, lookBeside(record, 'o') or toOutcome('failed', '', '', '', '0') .. '0')
  count('deadDropped', 1)
end

local function dropTooMany(steps)
  local excess = math.min(redis.call('ZCARD', dead) - maxDead, steps)
  if excess <= 0 then return end
  for _, rest in ipairs(redis.call('ZRANGE', dead, 0, excess - 1)) do dropDead(rest) end
end

local function bury(record, reason, failure, charged, ttl)
  died = died + 1
  redis.call('ZADD', dead, micros + died, record[REST])
  dropBeside(record, 'ce', 'ct', 'er')
  putBeside(record, 'o', toOutcome('failed', reason, failure, '', charged) .. '0')
  record[PLACE] = 'x'
  noteEnd(record, STATES.failed, ttl)
  save(record)
end

local function prune()
  local cutoff = whole(micros - deadTtl * 1000)
  local old = redis.call('ZRANGE', dead, '-inf', cutoff, 'BYSCORE', 'LIMIT', 0, 100)
  for _, rest in ipairs(old) do dropDead(rest) end
  local over = redis.call('ZRANGE', finished, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1000)
  if #over > 0 then redis.call('ZREM', finished, unpack(over)) end
end
`;
