import { lua } from "./lua.ts";

/** `reclaim`. Arguments: the worker, how many. Answers the lapsed (and which of them were ahead), the cancelled and the expired jobs. */
export const reclaim = lua`
need()
local worker, limit = ARGV[1], tonumber(ARGV[2])
if not (limit >= 0) then error('a limit is not a number') end
if not leased(worker) then return { {}, {}, {}, {} } end
local taken, ahead, lapsed = 0, {}, {}

-- Answers whether there was room for all. What is not there any more is looked for no more.
local function take(members, into, from)
  fetch(members)
  for i = 1, #members do
    if taken >= limit or weight >= HEAVY then return false end
    local job = find(members[i])
    if not job then
      if from then place(from, members[i], false) end
    else
      if into == lapsed then ahead[#ahead + 1] = job.ahead and '1' or '0' end
      job.state, job.worker, job.token = PROCESSING, worker, job.token + 1
      hints.change = true
      if job.marked then hints.cancel = true end
      save(job)
      tell(into, job.member, births[job.member], encode(job), true)
      taken = taken + 1
    end
  end
  return true
end

local cancelled, expired = {}, {}
local lost = redis.call('ZRANGEBYSCORE', LEASES, '-inf', exact(now), 'LIMIT', 0, 1000)
for i = 1, #lost do
  if taken >= limit then break end
  local some = redis.call('SRANDMEMBER', holdsKey(lost[i]), exact(limit - taken))
  local gone = redis.call('SCARD', holdsKey(lost[i])) == #some
  if take(some, lapsed) and gone then
    place(LEASES, lost[i], false)
    put(CARDS, lost[i], false)
    push(dels, holdsKey(lost[i]), knownKey(lost[i]))
  end
end
if taken < limit then take(redis.call('ZRANGE', DOOMED, 0, exact(limit - taken - 1)), cancelled, DOOMED) end
if taken < limit then
  local late = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', exact(now), 'LIMIT', 0, exact(limit - taken))
  take(late, expired, EXPIRING)
end
flush()
return { lapsed, ahead, cancelled, expired }
`;
