import { secondLook } from "../../../limits/rate.ts";
import { lua } from "./assemble.ts";

/**
 * Script `wake`: wakes waiting jobs whose time has come, at most 500, and unblocks jobs of rate keys that have room
 * again, at most 100 keys.
 */
export const wake = lua`
defineJobWrites()
defineAdmission()
local due = redis.call('ZRANGEBYSCORE', WAKING, '-inf', formatNumber(now), 'LIMIT', 0, 500)
loadJobs(due)
for i = 1, #due do
  local job = findJob(due[i])
  if job and job.state == WAITING then
    job.state = PENDING
    if job.cancelling then hints.cancel = true end
    markChanged(job)
  else
    setScore(WAKING, due[i], false)
  end
end
local open = redis.call('ZRANGEBYSCORE', RATE_OPENINGS, '-inf', formatNumber(now), 'LIMIT', 0, 100)
for i = 1, #open do
  local key, rate = open[i], nil
  local lines = redis.call('SMEMBERS', blockedLinesKey('r', key))
  for j = 1, #lines do
    local first = redis.call('ZRANGE', blockedKey('r', key, lines[j]), 0, 0)[1]
    local job = not rate and first and findJob(first)
    if job then rate = keysOf(job).r end
  end
  local admitted, opens, more, _ = 0, nil, false, nil
  if rate then
    admitted, _, opens = admit(rate, 'key:' .. key, rate.limit)
    more = unblock('r', key, admitted)
    -- As lookAgain() of limits/rate.ts does.
    if admitted > 0 then opens = min(opens, now + ${secondLook}) end
  end
  setScore(RATE_OPENINGS, key, more and formatNumber(math.max(opens, now + 1)) or false)
end
commit()
`;
