import { RECORD } from "./record.js";
import { createScript } from "./script.js";

/**
 * Lets leases of one queue expire later, and takes progress up.
 *
 * KEYS: 1 `meta`. Of `args`, for each: the rest of the id, token, length in ms, `1` if there is progress, the
 * progress. Returns for each: 0 where it is not held, else the error with which somebody wants the task to be
 * cancelled, or 1.
 */
export const EXTEND = createScript(
  "extend",
  true,
  RECORD,
  `
local answers = {}
for at = 1, #args, 5 do
  local record = loadRecord(args[at])
  if record and record.place == 'l' and record.token == args[at + 1] then
    redis.call('ZADD', leased, whole(now + tonumber(args[at + 2])), record.rest)
    redis.call('HSET', record.key, 'z', args[at + 2])
    if args[at + 3] == '1' then redis.call('HSET', record.key, 'pr', args[at + 4]) end
    answers[#answers + 1] = record.cancelError or 1
  else
    answers[#answers + 1] = 0
  end
end
return answers
`,
);
