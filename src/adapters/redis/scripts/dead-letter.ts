import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Ends tasks of one queue that have failed, and keeps them.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, for how many ms
 * the outcome is kept, reason, error, `1` if the attempt counts. Returns for each 1 where the lease was held,
 * else 0.
 */
export const DEAD_LETTER = createScript(
  "deadLetter",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  SETTLEMENT,
  `
local answers = {}
for at = 1, #args, 6 do
  local record, known = heldRecord(args[at], args[at + 1], 'x')
  if record then
    leave(record)
    settle(record, 'x', args[at + 5] == '1')
    bury(record, args[at + 3], args[at + 4], args[at + 5], tonumber(args[at + 2]))
  end
  answers[#answers + 1] = known or 1
end
prune()
dropTooMany(100 + #answers)
tell()
return answers
`,
);
