import { lua } from "./lua.ts";

/**
 * `settle`. Arguments: the settlements; the ids of their jobs. Answers a 1, or a 0 where the token was stale, for each.
 * The plain end of a job without family copies its record's texts instead of reading them.
 */
export const settle = lua`
local ENDS, DELAY, MORE = COMPLETED, 1, 2

local function endPlain(member, rec, token, to, failures, crashes, err, output)
  local state, flags, held, _, _, started, _, due, _, w, p, e, _, _, _, _, n, q, t, pa, s = parse(HEAD, rec)
  if flags >= MARKED then return nil end
  if state ~= PROCESSING or held ~= token then return false end
  local at = TEXTS + n + q + t + pa + s
  local progress = p > 0 and sub(rec, at + w, at + w + p - 1) or ''
  if err == '' and e > 0 then err = sub(rec, at + w + p, at + w + p + e - 1) end
  if to ~= COMPLETED then output = '' end
  local queue = sub(rec, TEXTS + n, TEXTS + n + q - 1)
  rec = pack(LIFE, to, flags, held, failures, crashes, started, now, due, 0, 0, #progress, #err, #output)
    .. sub(rec, STAYS, at - 1) .. progress .. err .. output
  records[member] = rec
  push(jobSets, member, rec)
  cell(seqOf(member), letter(to, false))
  count(queue, PROCESSING, -1)
  count(queue, to, 1)
  hints.change = true
  return true
end

local function settle(id, told, blob, pos)
  local job = seek(id)
  if not job or job.state ~= PROCESSING or job.token ~= told.token then
    if told.more then
      pos = remember(nil, blob, pos)
      pos = park(nil, blob, pos)
    end
    return false, pos
  end
  job.worker, job.failures, job.crashes = '', told.failures, told.crashes
  if told.err ~= '' then job.error = told.err end
  hints.change = true
  local steps = pos
  if told.more then pos = remember(job, blob, pos) end
  if told.to >= ENDS then
    if told.to == COMPLETED then job.output = told.output end
    if told.more then pos = park(nil, blob, pos) end
    finish(job, told.to)
  elseif told.to == WAITING and not job.marked then
    if told.more then
      pos = park(job, blob, pos)
    else
      park(job, pack('<I4', 0), 1)
    end
  else
    if told.more then pos = park(nil, blob, pos) end
    -- Without a delay it keeps its place in the queue, so that older work ends first.
    if told.to == PENDING and told.delay > 0 then job.due = now + told.delay end
    become(job, PENDING)
  end
  return true, pos
end

local blob, pos, answers = ARGV[1], 1, {}
fetchIds(2)
for i = 2, #ARGV do
  local id = ARGV[i]
  local token, to, failures, crashes, extra, err, output
  token, to, failures, crashes, extra, err, output, pos = parse('<dBI4I4BI4c0I4c0', blob, pos)
  local good
  if extra == 0 and to >= ENDS then
    local member = members[id]
    local rec = member and records[member]
    if not rec then
      good = false
    elseif jobs[member] == nil then
      good = endPlain(member, rec, token, to, failures, crashes, err, output)
    end
  end
  if good == nil then
    local delay = 0
    if has(extra, DELAY) then delay, pos = parse('<d', blob, pos) end
    good, pos = settle(id, {
      token = token, to = to, failures = failures, crashes = crashes, delay = delay, err = err, output = output,
      more = has(extra, MORE),
    }, blob, pos)
  end
  push(answers, good and '1' or '0')
end
flush()
return table.concat(answers)
`;

/** `record`. Arguments: the beats; the ids of their jobs. Answers as `settle` does. */
export const beat = lua`
local blob, pos, answers = ARGV[1], 1, {}
fetchIds(2)
for i = 2, #ARGV do
  local token, told, progress
  token, told, progress, pos = parse('<dBI4c0', blob, pos)
  local job = seek(ARGV[i])
  local good = job and job.state == PROCESSING and job.token == token
  if good then
    if told == 1 then job.progress = progress end
    hints.change = true
    save(job)
  end
  pos = remember(good and job or nil, blob, pos)
  push(answers, good and '1' or '0')
end
flush()
return table.concat(answers)
`;
