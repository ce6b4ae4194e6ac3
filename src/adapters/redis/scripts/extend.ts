import { RECORD, STORE } from "./record.js";
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
  STORE,
  RECORD,
  `
local answers = {}
for at = 1, #args, 5 do
  local record = loadRecord(args[at])
  if record and record[PLACE] == 'l' and record[TOKEN] == tonumber(args[at + 1]) then
    local lease, hadBeside, hadLease = tonumber(args[at + 2]), record[BESIDE], record[LEASE]
    redis.call('ZADD', leased, now + lease, record[REST])
    if args[at + 3] == '1' then putBeside(record, 'pr', args[at + 4]) end
    record[LEASE] = lease
    if lease ~= hadLease or record[BESIDE] ~= hadBeside then save(record) end
    answers[#answers + 1] = lookBeside(record, 'ce') or 1
  else
    answers[#answers + 1] = 0
  end
end
return answers
`,
);
