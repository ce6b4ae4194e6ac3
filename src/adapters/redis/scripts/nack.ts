import { ENDS, MOVES, RECORD } from "./record.js";
import { createScript } from "./script.js";
import { SETTLEMENT } from "./settlement.js";

/**
 * Gives tasks of one queue back that have not ended; one that is to be cancelled ends.
 *
 * KEYS: 1 `meta`. ARGV: 1, 2 limits of dead letters; then for each the rest of the id, token, kind, delay in
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
    record.sequence = nextSequence()
    place = 'd'
  end
  if delay <= 0 then
    makeReady(record)
    woken = true
    return
  end
  local due = now + delay
  redis.call('HSET', record.key, 'p', place, 's', tonumber(record.sequence, 16))
  redis.call('ZADD', delayed, due, record.sequence .. record.rest)
  if due < soonest then
    soonest = due
    woken = true
  end
end

for at = 3, #ARGV, 5 do
  local record = heldRecord(ARGV[at], ARGV[at + 1])
  if record then
    leave(record)
    settle(record, 'n', ARGV[at + 2] == 'retry')
    if ARGV[at + 4] ~= '' then redis.call('HSET', record.key, 'er', ARGV[at + 4]) end
    if record.cancelError then
      cancelNow(record, record.cancelError, record.cancelTtl)
    else
      giveBack(record, ARGV[at + 2], tonumber(ARGV[at + 3]))
    end
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = isDone(ARGV[at], ARGV[at + 1], 'n')
  end
end
tell()
return answers
`,
);
