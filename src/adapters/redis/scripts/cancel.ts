import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";

/**
 * Ends tasks of one queue that wait; asks the holders of leased ones to end them.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, the error, for how many
 * ms the outcome is kept. Returns for each a letter: `c` cancelled, `a` asked, `e` ended before, `u` unknown.
 */
export const CANCEL = createScript(
  "cancel",
  true,
  RECORD,
  MOVES,
  ENDS,
  `
local answers = {}

local function cancel(record, reason, ttl)
  local place = record and record.place or 'q'
  if place == 'q' then return 'u' end
  if place == 'f' or place == 'x' then return 'e' end
  if place ~= 'l' then
    leave(record)
    cancelNow(record, reason, tonumber(ttl))
    return 'c'
  end
  if not record.cancelError then
    record.cancelError = reason
    redis.call('HSET', record.key, 'ce', reason, 'ct', ttl)
  end
  asked[#asked + 1] = record.rest
  return 'a'
end

for at = 1, #args, 3 do
  local record = loadRecord(args[at])
  answers[#answers + 1] = cancel(record, args[at + 1], args[at + 2])
end
prune()
tell()
return answers
`,
);
