import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Gives records of one queue.
 *
 * KEYS: 1 `meta`. Of `args`: 1 `1` for payloads, else `0`; then the rest of each id. Returns the server's
 * time in ms, and for each the score of its place where it is delayed or leased, the record, where it has
 * not finished maybe without its payload, and what is beside it; nothing where there is no such task. It ends
 * with the one that makes 8 MiB of records full, and is called again for the others.
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
local answers, bytes = { now }, 0
for at = 2, #args do
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
    local text = string.sub(record[TEXT], 1, bodyBytes(record))
    if place == 'f' or args[1] == '1' then text = redis.call('GET', record[KEY]) end
    answers[#answers + 1] = { until_, text, beside.err and {} or beside }
    bytes = bytes + #text
    if bytes > 8388608 then break end
  end
end
return answers
`,
);
