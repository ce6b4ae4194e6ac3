/**
 * What ack, nack and dead letter have in common: each is done by the holder alone, and once. A record says
 * how its last lease was settled, for when that is done again.
 */
export const SETTLEMENT = `
-- The record, if the lease is held, and whether it was settled so before.
local function heldRecord(rest, token, kind)
  local record = loadRecord(rest)
  if not record or record[TOKEN] ~= tonumber(token) then return nil, 0 end
  if record[PLACE] == 'l' then return record end
  return nil, record[SETTLED] == kind and 1 or 0
end

-- The holder has reported back.
local function settle(record, kind, isCharged)
  record[SETTLED], record[DELIVERIES] = kind, 0
  if isCharged then record[ATTEMPTS] = record[ATTEMPTS] + 1 end
end
`;
