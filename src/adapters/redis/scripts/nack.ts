import { ENDS, MOVES, RECORD } from "./record.js";
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
  RECORD,
  MOVES,
  ENDS,
  SETTLEMENT,
  `
local answers = {}
local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local soonest = head and tonumber(head) or math.huge

local function giveBack(record, kind, delay)
  local place = 'b'
  if kind == 'reschedule' then
    record.number = nextSequence()
    place = 'd'
  end
  if delay <= 0 then
    makeReady(record)
    woken = true
    return
  end
  local due = now + delay
  put(record, 'p', place)
  put(record, 's', record.number)
  save(record)
  redis.call('ZADD', delayed, due, memberOf(record))
  if due < soonest then
    soonest = due
    woken = true
  end
end

for at = 1, #args, 5 do
  local record = heldRecord(args[at], args[at + 1])
  if record then
    leave(record)
    settle(record, 'n', args[at + 2] == 'retry')
    if args[at + 4] ~= '' then put(record, 'er', args[at + 4]) end
    if record.cancelError then
      cancelNow(record, record.cancelError, record.cancelTtl)
    else
      giveBack(record, args[at + 2], tonumber(args[at + 3]))
    end
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = isDone(args[at], args[at + 1], 'n')
  end
end
tell()
return answers
`,
);
