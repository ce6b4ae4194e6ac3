import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Ends tasks of one queue that leave no dead letter.
 *
 * KEYS: 1 `meta`. ARGV: 1, 2 limits of dead letters; then for each the rest of the id, token, for how many ms
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
local answers = {}
for at = 3, #ARGV, 9 do
  local record = heldRecord(ARGV[at], ARGV[at + 1])
  if record then
    leave(record)
    settle(record, 'a', ARGV[at + 6] == '1')
    redis.call('HSET', record.key, 'oc', ARGV[at + 6])
    if ARGV[at + 5] ~= '' then noteError(record, ARGV[at + 5]) end
    if ARGV[at + 7] == '1' then redis.call('HSET', record.key, 'ov', ARGV[at + 8]) end
    finish(record, ARGV[at + 3], ARGV[at + 4], tonumber(ARGV[at + 2]))
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = isDone(ARGV[at], ARGV[at + 1], 'a')
  end
end
prune()
tell()
return answers
`,
);
