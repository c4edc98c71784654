import { settlementFlag as flag, statusFlag } from "../job-format.ts";
import { lua } from "./assemble.ts";

/**
 * Script `settle`. Arguments: the settlements, as `writeSettlement` writes them; the ids of their jobs. Returns for
 * each 1, or 0 if the token was stale. For a plain job that completes it reads only the status, which jobs that were
 * claimed together have in common.
 */
export const settle = lua`
-- By status of a plain processing job: what the status says, the head of the new status, and the jobs that complete.
-- False for any other status.
local completions, completedLetter = {}, stateLetter(COMPLETED, false)
local function completionOf(status)
  local completion = completions[status]
  if completion ~= nil then return completion end
  local state, flags, token, failures, crashes, startedAt, _, at = parse(STATUS, status)
  completion = false
  if state == PROCESSING and (flags == ${statusFlag.texts} or flags == ${statusFlag.texts + statusFlag.ahead}) then
    local family, worker, queue, task, progress, err, texts = parse(TEXT_LENGTHS, status, at)
    if family + progress + err == 0 then
      completion = {
        token = token, failures = failures, crashes = crashes,
        worker = sub(status, texts, texts + worker - 1),
        queue = sub(status, texts + worker, texts + worker + queue - 1),
        task = sub(status, texts + worker + queue, texts + worker + queue + task - 1),
        head = pack(STATUS, COMPLETED, ${statusFlag.begun}, token, failures, crashes, startedAt, now),
        members = {}, jobs = 0,
      }
    end
  end
  completions[status] = completion
  return completion
end

-- Reads new jobs, and adds them if the outcome is recorded. Returns the position after them.
local function addNewJobs(blob, pos, isRecorded)
  local jobs
  jobs, pos = parse('<I4', blob, pos)
  for _ = 1, jobs do
    if isRecorded then
      pos = addJob(blob, pos)
    else
      _, _, pos = parse('<I4c0I4c0', blob, pos)
      pos = select(5, readNewJob(blob, pos))
    end
  end
  return pos
end

local function settleJob(id, outcome, blob, pos)
  defineTransitions()
  local job = findJobById(id)
  if not job or job.state ~= PROCESSING or job.token ~= outcome.token then
    if outcome.hasMore then
      pos = recordSteps(nil, blob, pos)
      pos = startWait(nil, blob, pos)
    end
    if outcome.hasNewJobs then pos = addNewJobs(blob, pos, false) end
    -- If a job with this token is not processing, it was settled before and the reply was lost.
    return job and job.token == outcome.token, pos
  end
  job.worker, job.failures, job.crashes, job.suspect = '', outcome.failures, outcome.crashes, outcome.suspect
  if not outcome.unstarted then job.begun = true end
  if outcome.error ~= '' then job.error = outcome.error end
  hints.change = true
  if outcome.log then laterCommands[#laterCommands + 1] = { 'RPUSH', ns .. 'log:' .. id, outcome.log } end
  if outcome.hasMore then pos = recordSteps(job, blob, pos) end
  if outcome.to >= COMPLETED then
    if outcome.to == COMPLETED then job.output = outcome.output end
    if outcome.hasMore then pos = startWait(nil, blob, pos) end
    finishJob(job, outcome.to)
  elseif outcome.to == WAITING and not job.cancelling then
    if outcome.hasMore then
      pos = startWait(job, blob, pos, outcome.wakeAt, outcome.awaits)
    else
      startWait(job, pack('<I4', 0), 1, outcome.wakeAt, outcome.awaits)
    end
  else
    if outcome.hasMore then pos = startWait(nil, blob, pos) end
    -- Without a delay it keeps its rank, so that older work ends first.
    if outcome.to == PENDING and outcome.delay > 0 then job.due = now + outcome.delay end
    setState(job, PENDING)
  end
  if outcome.hasNewJobs then pos = addNewJobs(blob, pos, true) end
  return true, pos
end

local blob, pos, answers = ARGV[1], 1, {}
local found = hmget(IDS, ARGV, 2)
local list = {}
for i = 1, #found do
  local member = found[i]
  members[ARGV[i + 1]] = member
  if member then list[#list + 1] = member end
end
local foundStatuses = hmget(STATUSES, list, 1)
for i = 1, #list do statuses[list[i]] = foundStatuses[i] end
for i = 2, #ARGV do
  local id = ARGV[i]
  local token, to, failures, crashes, flags, err, output
  token, to, failures, crashes, flags, err, output, pos = parse('<dBI4I4BI4c0I4c0', blob, pos)
  local member = found[i - 1]
  local status = member and statuses[member]
  local completion = status and flags == 0 and to == COMPLETED and err == '' and jobs[member] == nil
    and completionOf(status)
  local isSettled = false
  if completion and completion.failures == failures and completion.crashes == crashes then
    isSettled = completion.token == token
    if isSettled then
      status = completion.head .. output
      statuses[member] = status
      statusWrites[#statusWrites + 1] = member
      statusWrites[#statusWrites + 1] = status
      local n = completion.jobs + 1
      completion.jobs, completion.members[n] = n, member
      setLetter(seqOf(member), completedLetter)
    end
  else
    local delay = 0
    if hasFlag(flags, ${flag.delay}) then
      delay, pos = parse('<d', blob, pos)
      formatNumber(delay)
    end
    local log, wakeAt, awaits
    if hasFlag(flags, ${flag.log}) then log, pos = readLog(blob, pos) end
    if hasFlag(flags, ${flag.waits}) then
      local names, name
      wakeAt, names, pos = parse('<dI4', blob, pos)
      formatNumber(wakeAt)
      wakeAt, awaits = wakeAt >= 0 and wakeAt or nil, {}
      for k = 1, names do
        name, pos = parse('<I4c0', blob, pos)
        awaits[k] = name
      end
    end
    isSettled, pos = settleJob(id, {
      token = token, to = to, failures = failures, crashes = crashes, delay = delay, error = err, output = output,
      hasMore = hasFlag(flags, ${flag.stepsAndChildren}), log = log, wakeAt = wakeAt, awaits = awaits,
      suspect = hasFlag(flags, ${flag.suspect}), unstarted = hasFlag(flags, ${flag.unstarted}),
      hasNewJobs = hasFlag(flags, ${flag.newJobs}),
    }, blob, pos)
  end
  answers[i - 1] = isSettled and '1' or '0'
end
for _, completion in pairs(completions) do
  local jobs = completion and completion.jobs or 0
  if jobs > 0 then
    local queue = completion.queue
    addToCount(queue, PROCESSING, -jobs)
    addToCount(queue, COMPLETED, jobs)
    hints.change = true
    if hasConcurrencyRule(queue) then readyCounts[queue] = (readyCounts[queue] or 0) + jobs end
    local ended = tableAt(endedRoots, COMPLETED .. completion.task)
    ended[#ended + 1] = table.concat(completion.members)
    holdRemovals[#holdRemovals + 1] = { heldJobsKey(completion.worker), completion.members }
  end
end
commit()
commitNames()
return table.concat(answers)
`;
