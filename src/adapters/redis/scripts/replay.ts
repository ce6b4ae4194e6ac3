import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Puts dead letters of one queue back to work.
 *
 * KEYS: 1 `meta`. Of `args`: 1 how many at most; 2 handler or an empty text; 3 reason or an empty text; 4 how
 * many to look at, or 0 where they are named; 5 at which score to begin, or else the rest of each id that is
 * named. Returns `1` if there are more than the limit, `1` if it came to the end, the score of the last one
 * that it passed over, the rest of the id of each that it put back, and of each that it did not since another
 * task holds its key, that of the other behind it.
 */
export const REPLAY = createScript(
  "replay",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
prune()
local most, handler, reason = tonumber(args[1]), args[2], args[3]
local steps, score = tonumber(args[4]), args[5]
local chosen = {}
if steps == 0 then
  for at = 5, #args do chosen[#chosen + 1] = args[at] end
else
  -- By the score, and not by how many were passed over: others may have put these back meanwhile.
  chosen = redis.call('ZRANGE', dead, score, '+inf', 'BYSCORE', 'LIMIT', 0, steps)
end
local isEnd = (steps == 0 or #chosen < steps) and 1 or 0

-- Another task that has its key. One that is gone has it until the key expires, where that will be.
local function otherHolder(record)
  if record[KEY_BYTES] == 0 then return nil end
  local key = keyOf(handlerOf(record), idempotencyOf(record))
  local holder = holderOf(key)
  if holder == record[REST] then return nil end
  if holder and not loadRecord(holder) and redis.call('PTTL', key) < 0 then return nil end
  return holder
end

local function revive(record)
  leave(record)
  dropBeside(record, 'er', 'pr', 'ce', 'ct', 'o')
  record[ATTEMPTS], record[DELIVERIES], record[SETTLED] = 0, 0, '-'
  record[OUTCOME_UNTIL], record[REPLAYED_AT] = 0, now
  record[NUMBER] = nextSequence()
  makeReady(record)
  woken = true
  if record[KEY_BYTES] == 0 then return end
  redis.call('SET', keyOf(handlerOf(record), idempotencyOf(record)), record[REST]) -- for as long as it lives
end

local replayed, held, more, passed = {}, {}, 0, nil
for _, rest in ipairs(chosen) do
  local record = loadRecord(rest)
  local fits = record and record[PLACE] == 'x' and (handler == '' or handlerOf(record) == handler)
    and (reason == '' or reasonOf(lookBeside(record, 'o')) == reason)
  local holder = fits and otherHolder(record)
  if fits and not holder and #replayed == most then
    more = 1
    break
  end
  if holder then
    held[#held + 1] = rest
    held[#held + 1] = holder
    passed = rest
  elseif fits then
    revive(record)
    replayed[#replayed + 1] = rest
  else
    passed = rest
  end
end
if steps > 0 and passed then score = redis.call('ZSCORE', dead, passed) end
tell()
return { more, isEnd, score, replayed, held }
`,
);
