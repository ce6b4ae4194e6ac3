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
local answers, left = {}, {}
local token, ttl, outcome

-- Most tasks of a call were claimed together, and end alike.
local function read(at)
  if args[at + 1] ~= '' then token = tonumber(args[at + 1]) end
  if args[at + 2] ~= '' then ttl = tonumber(args[at + 2]) end
  if args[at + 3] ~= '' then outcome = args[at + 3] end
end

for at = 1, #args, 4 do
  read(at)
  local record, known = heldRecord(args[at], token, 'a')
  if record then
    left[#left + 1] = record[REST]
    settle(record, 'a', string.sub(outcome, 2, 2) == '1')
    if record[BESIDE] == 'x' and hasFailure(outcome) then dropBeside(record, 'er') end
    finish(record, outcome, ttl)
  end
  answers[#answers + 1] = known or 1
end
if #left > 0 then redis.call('ZREM', leased, unpack(left)) end
prune()
tell()
return answers
`,
);
