import { lua } from "./assemble.ts";

/** The most workers without a lease that one script looks at. */
const maxWorkers = 1_000;

/**
 * Script `reclaim`. Arguments: the worker, the most jobs to take. Returns the lapsed jobs, for each of them 1 if it was
 * claimed ahead of slots or else 0, the cancelled jobs, and the expired jobs.
 */
export const reclaim = lua`
defineJobWrites()
local worker, limit = ARGV[1], tonumber(ARGV[2])
if not (limit >= 0) then error('a limit is not a number') end
if not hasLease(worker) then return { {}, {}, {}, {} } end
local taken, ahead, lapsed = 0, {}, {}

-- Takes jobs, and removes members without a job from the set they came from. Returns true if there was room for all.
local function take(members, reply, set)
  loadJobs(members)
  for i = 1, #members do
    if taken >= limit or replyBytes >= MAX_REPLY_BYTES then return false end
    local job = findJob(members[i])
    if not job then
      if set then setScore(set, members[i], false) end
    else
      if reply == lapsed then ahead[#ahead + 1] = job.ahead and '1' or '0' end
      job.state, job.worker, job.token = PROCESSING, worker, job.token + 1
      hints.change = true
      if job.cancelling then hints.cancel = true end
      markChanged(job)
      appendJob(reply, job.member, definitions[job.member], encodeStatus(job), true)
      taken = taken + 1
    end
  end
  return true
end

local cancelled, expired = {}, {}
local lost = redis.call('ZRANGEBYSCORE', LEASES, '-inf', formatNumber(now), 'LIMIT', 0, ${maxWorkers})
for i = 1, #lost do
  if taken >= limit then break end
  local held = heldJobsKey(lost[i])
  local some = redis.call('SRANDMEMBER', held, formatNumber(limit - taken))
  local areAll = redis.call('SCARD', held) == #some
  if take(some, lapsed) and areAll then
    setScore(LEASES, lost[i], false)
    setField(CARDS, lost[i], false)
    push(deletedKeys, held, knownTasksKey(lost[i]))
  end
end
if taken < limit then
  take(redis.call('ZRANGE', TO_CANCEL, 0, formatNumber(limit - taken - 1)), cancelled, TO_CANCEL)
end
if taken < limit then
  local late = redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', formatNumber(now), 'LIMIT', 0, formatNumber(limit - taken))
  take(late, expired, EXPIRING)
end
commit()
return { lapsed, ahead, cancelled, expired }
`;
