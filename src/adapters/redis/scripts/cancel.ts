import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
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
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
local answers = {}

local function cancel(record, reason, ttl)
  if not record then return 'u' end
  local place = record[PLACE]
  if place == 'f' or place == 'x' then return 'e' end
  if place ~= 'l' then
    leave(record)
    cancelNow(record, reason, tonumber(ttl))
    return 'c'
  end
  if not lookBeside(record, 'ce') then
    putBeside(record, 'ce', reason, 'ct', ttl)
    save(record)
  end
  asked[#asked + 1] = record[REST]
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
