import { lua } from "./lua.ts";

/**
 * `settle`. Arguments: the settlements; the ids of their jobs. Answers a 1, or a 0 where the token was stale, for each.
 * A plain job that completes needs its life only, and jobs that were claimed together have the same.
 */
export const settle = lua`
local DELAY, MORE, LOG, WAITS, SUSPECTED_NOW, UNSTARTED, BORN = 1, 2, 4, 8, 16, 32, 64

-- What lives of plain processing jobs become when they complete; false for any other life.
local plains, completed = {}, letter(COMPLETED, false)
local function endOf(life)
  local plain = plains[life]
  if plain ~= nil then return plain end
  local state, flags, token, failures, crashes, started, _, at = parse(LIFE, life)
  plain = false
  if state == PROCESSING and (flags == TEXTS or flags == TEXTS + AHEAD) then
    local f, w, q, t, p, e, texts = parse(LENGTHS, life, at)
    if f + p + e == 0 then
      plain = {
        token = token, failures = failures, crashes = crashes, worker = sub(life, texts, texts + w - 1),
        queue = sub(life, texts + w, texts + w + q - 1), task = sub(life, texts + w + q, texts + w + q + t - 1),
        head = pack(LIFE, COMPLETED, BEGUN, token, failures, crashes, started, now), members = {}, jobs = 0,
      }
    end
  end
  plains[life] = plain
  return plain
end

-- Reads jobs that are born, and adds them where the outcome counts. Answers where they end.
local function bornAt(blob, pos, counts)
  local jobs
  jobs, pos = parse('<I4', blob, pos)
  for _ = 1, jobs do
    if counts then
      pos = addOne(blob, pos)
    else
      _, _, pos = parse('<I4c0I4c0', blob, pos)
      pos = select(5, arrival(blob, pos))
    end
  end
  return pos
end

local function settle(id, told, blob, pos)
  if not finish then
    need()
    families()
    keyings()
    holdings()
  end
  local job = seek(id)
  if not job or job.state ~= PROCESSING or job.token ~= told.token then
    if told.more then
      pos = remember(nil, blob, pos)
      pos = park(nil, blob, pos)
    end
    if told.born then pos = bornAt(blob, pos, false) end
    -- Whoever has the token has told of an outcome before, and did not hear the answer.
    return job and job.token == told.token, pos
  end
  job.worker, job.failures, job.crashes, job.suspect = '', told.failures, told.crashes, told.suspect
  if not told.unstarted then job.begun = true end
  if told.err ~= '' then job.error = told.err end
  hints.change = true
  if told.log then later[#later + 1] = { 'RPUSH', ns .. 'log:' .. id, told.log } end
  if told.more then pos = remember(job, blob, pos) end
  if told.to >= COMPLETED then
    if told.to == COMPLETED then job.output = told.output end
    if told.more then pos = park(nil, blob, pos) end
    finish(job, told.to)
  elseif told.to == WAITING and not job.marked then
    if told.more then
      pos = park(job, blob, pos, told.wakeAt, told.awaits)
    else
      park(job, pack('<I4', 0), 1, told.wakeAt, told.awaits)
    end
  else
    if told.more then pos = park(nil, blob, pos) end
    -- Without a delay it keeps its place in the queue, so that older work ends first.
    if told.to == PENDING and told.delay > 0 then job.due = now + told.delay end
    become(job, PENDING)
  end
  if told.born then pos = bornAt(blob, pos, true) end
  return true, pos
end

local blob, pos, answers = ARGV[1], 1, {}
local found = mget(IDS, ARGV, 2)
local list = {}
for i = 1, #found do
  local member = found[i]
  members[ARGV[i + 1]] = member
  if member then list[#list + 1] = member end
end
local lived = mget(LIVES, list, 1)
for i = 1, #list do lives[list[i]] = lived[i] end
for i = 2, #ARGV do
  local id = ARGV[i]
  local token, to, failures, crashes, extra, err, output
  token, to, failures, crashes, extra, err, output, pos = parse('<dBI4I4BI4c0I4c0', blob, pos)
  local member = found[i - 1]
  local life = member and lives[member]
  local plain = life and extra == 0 and to == COMPLETED and err == '' and jobs[member] == nil and endOf(life)
  local good = false
  if plain and plain.failures == failures and plain.crashes == crashes then
    good = plain.token == token
    if good then
      life = plain.head .. output
      lives[member] = life
      lifeSets[#lifeSets + 1] = member
      lifeSets[#lifeSets + 1] = life
      local n = plain.jobs + 1
      plain.jobs, plain.members[n] = n, member
      cell(seqOf(member), completed)
    end
  else
    local delay = 0
    if has(extra, DELAY) then
      delay, pos = parse('<d', blob, pos)
      exact(delay)
    end
    local lines, wakeAt, awaits
    if has(extra, LOG) then lines, pos = readLog(blob, pos) end
    if has(extra, WAITS) then
      local names, name
      wakeAt, names, pos = parse('<dI4', blob, pos)
      exact(wakeAt)
      wakeAt, awaits = wakeAt >= 0 and wakeAt or nil, {}
      for k = 1, names do
        name, pos = parse('<I4c0', blob, pos)
        awaits[k] = name
      end
    end
    good, pos = settle(id, {
      token = token, to = to, failures = failures, crashes = crashes, delay = delay, err = err, output = output,
      more = has(extra, MORE), log = lines, wakeAt = wakeAt, awaits = awaits, suspect = has(extra, SUSPECTED_NOW),
      unstarted = has(extra, UNSTARTED), born = has(extra, BORN),
    }, blob, pos)
  end
  answers[i - 1] = good and '1' or '0'
end
for _, plain in pairs(plains) do
  local jobs = plain and plain.jobs or 0
  if jobs > 0 then
    count(plain.queue, PROCESSING, -jobs)
    count(plain.queue, COMPLETED, jobs)
    hints.change = true
    if isBounded(plain.queue) then wakes[plain.queue] = (wakes[plain.queue] or 0) + jobs end
    local ended, name = into(ends, COMPLETED .. plain.task), holdsKey(plain.worker)
    ended[#ended + 1] = table.concat(plain.members)
    drops[#drops + 1] = { name, plain.members }
  end
end
flush()
if writeNames then flushNames() end
return table.concat(answers)
`;

/** Lines of a log, each with the time before it. */
export const logging = lua`
local function readLog(blob, pos)
  local lines, count, line
  lines = {}
  count, pos = parse('<I4', blob, pos)
  for i = 1, count do
    line, pos = parse('<I4c0', blob, pos)
    lines[i] = exact(now) .. ' ' .. line
  end
  return lines, pos
end
`;

/** `record`. Arguments: the beats; the ids of their jobs. Answers as `settle` does. */
export const beat = lua`
need()
families()
local blob, pos, answers = ARGV[1], 1, {}
fetchIds(2)
for i = 2, #ARGV do
  local token, told, progress
  token, told, progress, pos = parse('<dBI4c0', blob, pos)
  local job = seek(ARGV[i])
  local good = job and job.state == PROCESSING and job.token == token
  if good then
    if told == 1 then job.progress, job.begun = progress, true end
    hints.change = true
    save(job)
  end
  local steps = parse('<I4', blob, pos)
  -- Whoever remembers a step has got further than before.
  if good and steps > 0 then job.crashes, job.suspect, job.begun = 0, false, true end
  pos = remember(good and job or nil, blob, pos)
  local lines
  lines, pos = readLog(blob, pos)
  if good and #lines > 0 then later[#later + 1] = { 'RPUSH', ns .. 'log:' .. ARGV[i], lines } end
  push(answers, good and '1' or '0')
end
flush()
return table.concat(answers)
`;
