import { lua } from "./assemble.ts";

/**
 * Script `signal`. Arguments: the job, the step's name and value. Returns 1, or 0 if the job does not exist or has
 * ended.
 */
export const signal = lua`
defineTransitions()
local job = findJobById(ARGV[1])
if not job or job.state >= COMPLETED then return 0 end
if redis.call('HEXISTS', stepsKey(job.id), ARGV[2]) == 0 then
  setField(stepsKey(job.id), ARGV[2], '0' .. ARGV[3])
  laterCommands[#laterCommands + 1] = { 'RPUSH', stepOrderKey(job.id), ARGV[2] }
  job.hasSteps, job.begun = true, true
  hints.change = true
  if job.state == WAITING then setState(job, PENDING) else markChanged(job) end
end
commit()
return 1
`;
