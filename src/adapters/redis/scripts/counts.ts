import { ENDS } from "./ends.js";
import { MOVES } from "./moves.js";
import { RECORD, STORE } from "./record.js";
import { createScript } from "./script.js";

/**
 * Counts what one queue has.
 *
 * KEYS: 1 `meta`. Nothing of `args`. Returns how many are ready, delayed, leased, dead,
 * finished, how many dead letters were dropped, and what was set aside.
 */
export const COUNTS = createScript(
  "counts",
  true,
  STORE,
  RECORD,
  MOVES,
  ENDS,
  `
prune()
tell()
local ready = 0
expectType(base .. 'handlers', 'set')
for _, handler in ipairs(redis.call('SMEMBERS', base .. 'handlers')) do
  ready = ready + redis.call('ZCARD', readyKey(handler))
end
return {
  ready, redis.call('ZCARD', delayed), redis.call('ZCARD', leased), redis.call('ZCARD', dead),
  redis.call('ZCOUNT', finished, '(' .. now, '+inf'),
  tonumber(redis.call('HGET', meta, 'deadDropped') or 0),
  tonumber(redis.call('HGET', meta, 'quarantined') or 0),
}
`,
);
