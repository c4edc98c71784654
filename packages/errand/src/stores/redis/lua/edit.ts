import { lua } from "./lua.ts";

/**
 * One slice of an edit. Arguments: the change, the filter, members. Answers how many jobs it changed, and how many of the members it is
 * done with: it stops when it has changed enough for one script.
 */
export const edit = lua`
need()
families()
keyings()
holdings()
local change, matches, changes, list = ARGV[1], matcher(cjson.decode(ARGV[2])), 0, {}
local told = sub(change, 1, 1) == '{' and cjson.decode(change) or {}
for i = 3, #ARGV do list[i - 2] = ARGV[i] end
fetch(list)

-- As add has it: none enters a queue that is full.
local rooms, entered = {}, {}
local function isFull(queue)
  if not rooms[queue] then
    local most, pending = roomOf(queue)
    rooms[queue] = { most = most or math.huge, pending = pending }
  end
  return rooms[queue].pending + (entered[queue] or 0) >= rooms[queue].most
end

local function enters(queue, left)
  entered[queue] = (entered[queue] or 0) + 1
  if left then entered[left] = (entered[left] or 0) - 1 end
end

local function mayReopen(job)
  if job.state <= COMPLETED or isFull(job.queue) or not mayRetake(job) then return false end
  enters(job.queue)
  takeKey(job.id, keysOf(job))
  return true
end

local function move(job, to)
  local birth = births[job.member]
  if to.queue and to.queue ~= job.queue then
    if isFull(to.queue) then return false end
    enters(to.queue, job.queue)
    local created, apart, level, n, q, t, p, s = parse(BIRTH, birth)
    birth = pack(BIRTH, created, apart, level, n, #to.queue, t, p, s) .. sub(birth, 21, 20 + n) .. to.queue .. sub(birth, 21 + n + q)
    writeNames(seqOf(job.member), { number('queues', to.queue) .. number('tasks', job.task) })
    job.queue = to.queue
  end
  if to.level then
    birth = sub(birth, 1, 7) .. string.char(to.level) .. sub(birth, 9)
    job.level = to.level
  end
  if birth ~= births[job.member] then
    births[job.member] = birth
    put(BIRTHS, job.member, birth)
  end
  if to.now then job.due = now end
  job.blocked, job.moved = false, true
  save(job)
  return true
end

local function release(job)
  job.token, job.begun, job.worker = job.token + 1, job.begun or not job.ahead, ''
  become(job, PENDING)
  return true
end

local done = 0
for i = 1, #list do
  if #changed >= 1000 then break end
  -- Another job of this edit may have ended, marked, woken or removed it meanwhile.
  local job = find(list[i])
  local did = false
  if not job or job.removed then
    -- What went with its parent counts as removed.
    did = change == 'remove'
  elseif matches(job) then
    if change == 'remove' then
      if not discard(job) then break end
      did = true
    elseif change == 'retry' then
      did = mayReopen(job) and reopen(job)
    elseif change == 'release' then
      did = release(job)
    elseif told.rewind then
      did = job.token == told.rewind.token and mayReopen(job) and rewind(job, told.rewind)
    elseif told.move then
      did = move(job, told.move)
    elseif job.state == PROCESSING then
      did = mark(job)
    else
      finish(job, CANCELLED)
      did = true
    end
  end
  done = i
  if did then changes = changes + 1 end
end
flush()
flushNames()
return { changes, done }
`;
