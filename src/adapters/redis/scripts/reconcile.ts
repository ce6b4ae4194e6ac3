import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Puts records of one queue back into the index of their place, where they are missing from it: it was
 * deleted or evicted, or somebody wrote into the store. One that was leased is given the time of its lease.
 *
 * KEYS: 1 `meta`. Of `args`: the rest of each id. Returns how many were put back.
 */
export const RECONCILE = createScript(
  "reconcile",
  true,
  STORE,
  RECORD,
  MOVES,
  `
local restored = 0

local function restore(index, score, member)
  if redis.call('ZSCORE', index, member) then return end
  redis.call('ZADD', index, score, member)
  restored = restored + 1
end

expectType(base .. 'handlers', 'set')
for _, rest in ipairs(args) do
  local record, why = loadRecord(rest)
  local place = record and record[PLACE]
  if why == 'half' and redis.call('PTTL', base .. 't:' .. rest) < 0 then
    setAsideRecord(rest, why)
  elseif place == 'r' then
    redis.call('SADD', base .. 'handlers', handlerOf(record))
    restore(readyKey(handlerOf(record)), toScore(record), memberOf(record))
    woken = true
  elseif place == 'd' or place == 'b' then
    restore(delayed, now, memberOf(record))
  elseif place == 'l' then
    restore(leased, now + record[LEASE], rest)
  elseif place == 'x' then
    restore(dead, micros + restored, rest) -- few have the same
  elseif place == 'f' and redis.call('PTTL', record[KEY]) < 0 then
    redis.call('PEXPIRE', record[KEY], 60000)
  end
end
woken = woken and restored > 0
tell()
return { restored }
`,
);
