import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Ends tasks of one queue that leave no dead letter.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, for how many ms the outcome is kept, the
 * outcome as a record has it. Returns for each 1 where the lease was held, else 0.
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
for at = 1, #args, 4 do
  local record, known = heldRecord(args[at], args[at + 1], 'a')
  if record then
    left[#left + 1] = record[REST]
    local outcome = args[at + 3]
    settle(record, 'a', string.sub(outcome, 2, 2) == '1')
    if record[BESIDE] == 'x' and hasFailure(outcome) then dropBeside(record, 'er') end
    finish(record, outcome, tonumber(args[at + 2]))
  end
  answers[#answers + 1] = known or 1
end
if #left > 0 then redis.call('ZREM', leased, unpack(left)) end
prune()
tell()
return answers
`,
);
