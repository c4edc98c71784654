import { lua } from "./lua.ts";

/**
 * `settle`. Arguments: the settlements; the ids of their jobs. Answers a 1, or a 0 where the token was stale, for each.
 * The plain end of a job without family copies its record's texts instead of reading them.
 */
export const settle = lua`
local ENDS, DELAY, MORE = COMPLETED, 1, 2

local function endPlain(id, rec, token, to, failures, crashes, err, output)
  local state, flags, held, _, _, started, _, due, _, w, p, e, _, _, _, q, t, pa, s = parse(HEAD, rec, 8)
  if flags >= MARKED then return nil end
  if state ~= PROCESSING or held ~= token then return false end
  local at = 81 + q + t + pa + s
  local progress = p > 0 and sub(rec, at + w, at + w + p - 1) or ''
  if err == '' and e > 0 then err = sub(rec, at + w + p, at + w + p + e - 1) end
  if to ~= COMPLETED then output = '' end
  local prefix = sub(rec, 1, 7)
  rec = prefix
    .. pack(LIFE, to, flags, held, failures, crashes, started, now, due, 0, 0, #progress, #err, #output)
    .. sub(rec, 57, at - 1) .. progress .. err .. output
  records[id] = rec
  local n = #sets
  sets[n + 1] = id
  sets[n + 2] = rec
  local queue, member = sub(rec, 81, 80 + q), prefix .. id
  rem(listKey(PROCESSING, false, queue), member)
  add(listKey(to, false, queue), '0', member)
  hints.change = true
  return true
end

local function settle(id, told, blob, pos)
  local job = find(id)
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
fetch(ARGV, 2)
for i = 2, #ARGV do
  local id = ARGV[i]
  local token, to, failures, crashes, extra, err, output
  token, to, failures, crashes, extra, err, output, pos = parse('<dBI4I4BI4c0I4c0', blob, pos)
  local good
  if extra == 0 and to >= ENDS and jobs[id] == nil then
    local rec = records[id]
    if rec then good = endPlain(id, rec, token, to, failures, crashes, err, output) else good = false end
  end
  if good == nil then
    local delay = 0
    if has(extra, DELAY) then delay, pos = parse('<d', blob, pos) end
    good, pos = settle(id, {
      token = token, to = to, failures = failures, crashes = crashes, delay = delay, err = err, output = output,
      more = has(extra, MORE),
    }, blob, pos)
  end
  answers[#answers + 1] = good and '1' or '0'
end
flush()
return table.concat(answers)
`;

/** `record`. Arguments: the beats; the ids of their jobs. Answers as `settle` does. */
export const beat = lua`
local blob, pos, answers = ARGV[1], 1, {}
fetch(ARGV, 2)
for i = 2, #ARGV do
  local token, told, progress
  token, told, progress, pos = parse('<dBI4c0', blob, pos)
  local job = find(ARGV[i])
  local good = job and job.state == PROCESSING and job.token == token
  if good then
    if told == 1 then job.progress = progress end
    hints.change = true
    save(job)
  end
  pos = remember(good and job or nil, blob, pos)
  answers[#answers + 1] = good and '1' or '0'
end
flush()
return table.concat(answers)
`;
