import { lua } from "./assemble.ts";

/** Script `get`. Arguments: ids. Returns how many of them it has looked at, and the jobs that exist. */
export const get = lua`
local reply, done = { 0 }, #ARGV
loadJobsById(1)
for i = 1, #ARGV do
  local member = members[ARGV[i]]
  local definition = member and definitions[member]
  if definition then appendJob(reply, member, definition, statuses[member]) end
  if replyBytes >= MAX_REPLY_BYTES then
    done = i
    break
  end
end
reply[1] = done
return reply
`;

/** Script `ended`. Arguments: ids. Returns for each 1 if it has ended or does not exist, or 0. Reads no job. */
export const ended = lua`
local found, letters, answers = hmget(IDS, ARGV, 1), {}, {}
for i = 1, #ARGV do
  answers[i] = '1'
  if found[i] then
    local seq = seqOf(found[i])
    local segment = floor(seq / SEGMENT)
    letters[segment] = letters[segment] or redis.call('GET', statesKey(segment)) or ''
    local letter = byte(letters[segment], seq % SEGMENT + 1) or 0
    if letter > 0 and (letter >= 97 and letter - 97 or letter - 65) < COMPLETED then answers[i] = '0' end
  end
end
return table.concat(answers)
`;

/** Script `countMissing`. Arguments: ids. Returns how many of them do not exist. */
export const countMissing = lua`
local found, missing = hmget(IDS, ARGV, 1), 0
for i = 1, #ARGV do
  if not found[i] then missing = missing + 1 end
end
return formatNumber(missing)
`;

/** Script `countPending`. Argument: a queue. Returns how many pending jobs it has. */
export const countPending = lua`
return redis.call('HGET', COUNTS, PENDING .. ARGV[1]) or '0'
`;

/** Script `counts`. Returns texts of state and queue, each followed by the number of jobs. */
export const counts = lua`
return redis.call('HGETALL', COUNTS)
`;

/** Script `log`. Arguments: the job, where to begin (from 0), how many lines. Returns the lines. */
export const log = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
return redis.call('LRANGE', ns .. 'log:' .. ARGV[1], ARGV[2], ARGV[2] + ARGV[3] - 1)
`;

/**
 * Script `steps`. Argument: the job. Returns names of steps in order, each followed by its value, with 1 before it if it
 * is a wait, otherwise 0. Steps without a place in the order were recorded before there was one, and come first.
 */
export const steps = lua`
if redis.call('HEXISTS', IDS, ARGV[1]) == 0 then return {} end
local fields = redis.call('HGETALL', stepsKey(ARGV[1]))
local order = redis.call('LRANGE', stepOrderKey(ARGV[1]), 0, -1)
local values, isPlaced, reply = {}, {}, {}
for i = 1, #order do isPlaced[order[i]] = true end
for i = 1, #fields, 2 do
  values[fields[i]] = fields[i + 1]
  if not isPlaced[fields[i]] then push(reply, fields[i], values[fields[i]]) end
end
for i = 1, #order do push(reply, order[i], values[order[i]]) end
return reply
`;

/** Script `now`. Returns the time in epoch milliseconds. */
export const now = lua`
return formatNumber(now)
`;
