import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Gives tasks of one queue back that have not ended; one that is to be cancelled ends.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, kind, delay in
 * ms, error of the attempt or an empty text. Returns for each 1 where the lease was held, else 0.
 */
export const NACK = createScript(
  "nack",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  SETTLEMENT,
  `
local answers = {}
local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local soonest = head and tonumber(head) or math.huge

local function giveBack(record, kind, delay)
  record[PLACE] = 'b'
  if kind == 'reschedule' then
    record[NUMBER] = nextSequence()
    record[PLACE] = 'd'
  end
  if delay <= 0 then
    makeReady(record)
    woken = true
    return
  end
  local due = now + delay
  save(record)
  redis.call('ZADD', delayed, due, memberOf(record))
  if due < soonest then
    soonest = due
    woken = true
  end
end

for at = 1, #args, 5 do
  local record, known = heldRecord(args[at], args[at + 1], 'n')
  if record then
    leave(record)
    settle(record, 'n', args[at + 2] == 'retry')
    if args[at + 4] ~= '' then putBeside(record, 'er', args[at + 4]) end
    if not cancelIfAsked(record) then giveBack(record, args[at + 2], tonumber(args[at + 3])) end
  end
  answers[#answers + 1] = known or 1
end
tell()
return answers
`,
);
