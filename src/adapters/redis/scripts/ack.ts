import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Ends tasks of one queue that leave no dead letter.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, for how many ms the outcome is kept, the
 * outcome as a record has it; of the last three, an empty text is for what the task before has.
 * Returns for each 1 where the lease was held, else 0.
 */
export const ACK = createScript(
  "ack",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  SETTLEMENT,
  `
local answers = {}
local token, leasedHead, ttl, outcomeUntil, keptFor, outcome, isCharged

-- Most tasks of a call were claimed together, and end alike.
local function read(at)
  if args[at + 1] ~= '' then
    token = tonumber(args[at + 1])
    leasedHead = 'l--' .. struct.pack('>I7', token)
  end
  if args[at + 2] ~= '' then
    ttl = tonumber(args[at + 2])
    outcomeUntil, keptFor = struct.pack('>I6', now + ttl), whole(math.max(ttl, 60000))
  end
  if args[at + 3] ~= '' then
    outcome = args[at + 3]
    isCharged = string.sub(outcome, 2, 2) == '1'
  end
end

-- All places here are by the table in record-format.ts, but from 1 and not from 0. A part of FIXED, from byte
-- 19 on: the attempts; after 42 bytes the cost, the most deliveries, and all lengths but the payload's.
local PLAIN = '>I4' .. string.rep('x', 42) .. 'dI3I1I2I1I4'
-- No deliveries any more, and so many attempts: bytes 17 to 22.
local reports = {}

local function toReport(attempts)
  local report = reports[attempts]
  if not report then
    report = struct.pack('>I2I4', 0, attempts)
    reports[attempts] = report
  end
  return report
end

-- Ends a task as most end: leased so, with nothing beside it and no idempotency key; does nothing and gives
-- false where that is not so. Nothing is done more often: so it makes no list of what stands in the record.
local function endPlain(rest)
  local key = base .. 't:' .. rest
  local text = redis.pcall('GETRANGE', key, '0', '511')
  if type(text) ~= 'string' or #text < FIXED_BYTES then return false end
  if string.sub(text, 1, 10) ~= leasedHead or ttl <= 0 then return false end
  local attempts, cost, _, handlerBytes, keyBytes, markBytes, envelopeBytes = struct.unpack(PLAIN, text, 19)
  local body = FIXED_BYTES + handlerBytes + markBytes + envelopeBytes
  if keyBytes > 0 or handlerBytes == 0 or not (cost >= 0) or body > #text then return false end
  if isCharged then attempts = attempts + 1 end
  -- Kept are token and sequence; since when it was ready, and the lease; from when it was put back to the
  -- lengths, of which the payload's is now 0; and the texts between these and the payload.
  redis.call('SET', key, 'fa-' .. string.sub(text, 4, 16) .. toReport(attempts) .. string.sub(text, 23, 34) ..
    outcomeUntil .. string.sub(text, 41, FIXED_BYTES - 4) .. '\\0\\0\\0\\0' ..
    string.sub(text, FIXED_BYTES + 1, body) .. outcome, 'PX', keptFor)
  noteOutcome(rest, now + ttl)
  ended[#ended + 1] = rest
  return true
end

for at = 1, #args, 4 do
  local rest, answer = args[at], 1
  read(at)
  if not endPlain(rest) then
    local record, known = heldRecord(rest, token, 'a')
    answer = known or 1
    if record then
      settle(record, 'a', isCharged)
      if record[BESIDE] == 'x' and hasFailure(outcome) then dropBeside(record, 'er') end
      finish(record, outcome, ttl)
    end
  end
  answers[#answers + 1] = answer
end
if #ended > 0 then redis.call('ZREM', leased, unpack(ended)) end
prune()
tell()
return answers
`,
);
