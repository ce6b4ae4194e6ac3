import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Ends tasks of one queue that leave no dead letter.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, for how many ms
 * the outcome is kept, its state, its reason or an empty text, its error or an empty text, `1` if the attempt
 * counts, `1` if there is a value, the value. Returns for each 1 where the lease was held, else 0.
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
local answers, left = {}, {}
for at = 1, #args, 9 do
  local record, known = heldRecord(args[at], args[at + 1], 'a')
  if record then
    left[#left + 1] = record[REST]
    settle(record, 'a', args[at + 6] == '1')
    local state, failure = args[at + 3], args[at + 5]
    if failure ~= '' then dropBeside(record, 'er') end
    local outcome = toOutcome(state, args[at + 4], failure, '', args[at + 6])
    finish(record, state, outcome .. args[at + 7] .. args[at + 8], tonumber(args[at + 2]))
  end
  answers[#answers + 1] = known or 1
end
if #left > 0 then redis.call('ZREM', leased, unpack(left)) end
prune()
tell()
return answers
`,
);
