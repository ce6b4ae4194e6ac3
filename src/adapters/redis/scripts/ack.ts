import { ENDS, MOVES, RECORD } from "./record.js";
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
  RECORD,
  MOVES,
  ENDS,
  SETTLEMENT,
  `
local answers, left = {}, {}
for at = 1, #args, 9 do
  local record = heldRecord(args[at], args[at + 1])
  if record then
    left[#left + 1] = record.rest
    settle(record, 'a', args[at + 6] == '1')
    put(record, 'oc', args[at + 6])
    if args[at + 5] ~= '' then noteError(record, args[at + 5]) end
    if args[at + 7] == '1' then put(record, 'ov', args[at + 8]) end
    finish(record, args[at + 3], args[at + 4], tonumber(args[at + 2]))
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = isDone(args[at], args[at + 1], 'a')
  end
end
if #left > 0 then redis.call('ZREM', leased, unpack(left)) end
prune()
tell()
return answers
`,
);
