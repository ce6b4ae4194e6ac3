import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Gives records of one queue.
 *
 * KEYS: 1 `meta`. Of `args`: the rest of each id. Returns the server's time in ms, and for each the
 * score of its place where it is delayed or leased, the record, and what is beside it; nothing where there
 * is no such task.
 */
export const READ = createScript(
  "read",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
prune()
tell()
local answers = { now }
for at = 1, #args do
  local record = loadRecord(args[at])
  local place = record and record[PLACE]
  if not record or (place == 'f' and record[OUTCOME_UNTIL] <= now) then
    answers[#answers + 1] = {}
  else
    local until_ = ''
    if place == 'd' or place == 'b' then
      until_ = redis.call('ZSCORE', delayed, memberOf(record)) or ''
    elseif place == 'l' then
      until_ = redis.call('ZSCORE', leased, record[REST]) or ''
    end
    local beside = record[BESIDE] == 'x' and redis.pcall('HGETALL', besideKey(record)) or {}
    answers[#answers + 1] = { until_, redis.call('GET', record[KEY]), beside.err and {} or beside }
  end
end
return answers
`,
);
