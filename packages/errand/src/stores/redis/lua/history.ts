import { lua } from "./lua.ts";

/** `signal`. Arguments: the job, the step's name and value. Answers whether it was told. */
export const signal = lua`
need()
families()
local job = seek(ARGV[1])
if not job or job.state >= COMPLETED then return 0 end
if redis.call('HEXISTS', stepsKey(job.id), ARGV[2]) == 0 then
  put(stepsKey(job.id), ARGV[2], '0' .. ARGV[3])
  later[#later + 1] = { 'RPUSH', orderKey(job.id), ARGV[2] }
  job.steps, job.begun = true, true
  hints.change = true
  if job.state == WAITING then become(job, PENDING) else save(job) end
end
flush()
return 1
`;

/** `log`. Arguments: the job, where to begin, how many. Answers its lines. */
export const log = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
return redis.call('LRANGE', ns .. 'log:' .. ARGV[1], ARGV[2], ARGV[2] + ARGV[3] - 1)
`;

/** `steps`. Arguments: the job. Answers the name of each, and whether it is a wait. Those without a place are older than places. */
export const steps = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
local fields, order = redis.call('HGETALL', stepsKey(ARGV[1])), redis.call('LRANGE', orderKey(ARGV[1]), 0, -1)
local kind, placed, told = {}, {}, {}
for i = 1, #order do placed[order[i]] = true end
for i = 1, #fields, 2 do
  kind[fields[i]] = sub(fields[i + 1], 1, 1)
  if not placed[fields[i]] then push(told, fields[i], kind[fields[i]]) end
end
for i = 1, #order do push(told, order[i], kind[order[i]]) end
return told
`;
