/**
 * What ack, nack and dead letter have in common: each is done by the holder alone, and once. The field `k`
 * has the kind of the settlement and the token by which it was made, for when it is made again.
 */
export const SETTLEMENT = `
local function heldRecord(rest, token)
  local record = loadRecord(rest)
  if record and record.place == 'l' and record.token == token then return record end
  return nil
end

local function isDone(rest, token, kind)
  local record = loadRecord(rest)
  if record and record.token == token and record.settled == kind .. token then return 1 end
  return 0
end

-- The holder has reported back.
local function settle(record, kind, isCharged)
  if isCharged then record.attempts = record.attempts + 1 end
  put(record, 'k', kind .. record.token)
  put(record, 'd', 0)
  if isCharged then put(record, 'a', record.attempts) end
end

-- The error of the outcome is also that of the last attempt, and is kept once.
local function noteError(record, text)
  redis.call('HDEL', record.key, 'er')
  put(record, 'oe', text)
end
`;
