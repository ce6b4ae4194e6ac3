import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";

/**
 * Puts dead letters of one queue back to work.
 *
 * KEYS: 1 `meta`. ARGV: 1, 2 limits of dead letters; 3 how many at most; 4 handler or an empty text; 5 reason
 * or an empty text; 6 how many to pass over, or -1 where they are named; 7 how many to look at; then the
 * rest of each id that is named. Returns `1` if there are more than the limit, how many it has passed over in
 * all, `1` if it came to the end, and the rest of the id of each that it put back.
 */
export const REPLAY = createScript(
  "replay",
  true,
  RECORD,
  MOVES,
  ENDS,
  `
prune()
local most, handler, reason = tonumber(ARGV[3]), ARGV[4], ARGV[5]
local passed, steps = tonumber(ARGV[6]), tonumber(ARGV[7])
local named = passed < 0
local chosen = {}
if named then
  for at = 8, #ARGV do chosen[#chosen + 1] = ARGV[at] end
else
  chosen = redis.call('ZRANGE', dead, passed, passed + steps - 1)
end
local isEnd = (named or #chosen < steps) and 1 or 0

local function revive(record)
  leave(record)
  redis.call('HDEL', record.key, 'a', 'd', 'k', 'er', 'pr', 'ce', 'ct', 'z',
    'os', 'or', 'oe', 'oq', 'ov', 'oc', 'ou')
  redis.call('HSET', record.key, 'ra', now)
  record.sequence = nextSequence()
  makeReady(record)
  woken = true
  if not record.idempotency then return end
  local key = keyOf(record.handler, record.idempotency)
  local holder = holderOf(key)
  if not holder then redis.call('SET', key, record.rest) end
  if holder == record.rest then redis.call('PERSIST', key) end
end

local replayed = {}
local more = 0
for _, rest in ipairs(chosen) do
  local record = loadRecord(rest)
  local fits = record and record.place == 'x' and (handler == '' or record.handler == handler)
    and (reason == '' or redis.call('HGET', record.key, 'or') == reason)
  if fits and #replayed == most then
    more = 1
    break
  end
  if fits then
    revive(record)
    replayed[#replayed + 1] = rest
  else
    passed = passed + 1
  end
end
tell()
return { more, passed, isEnd, replayed }
`,
);
