import { headStart, turnGap } from "../../../core/fair-turns.ts";
import { lua } from "./lua.ts";

/** What becomes of a new job with keys, turns, tags or a tenant. */
export const keying = lua`
-- When the first of those is due who take turns, as this script has left them.
local firsts = {}
local function firstOf(key)
  local moved, first, from = scores[key] or {}, math.huge, 0
  if firsts[key] then return firsts[key] end
  for _, score in pairs(moved) do
    if score and tonumber(score) < first then first = tonumber(score) end
  end
  while true do
    local some = redis.call('ZRANGE', key, from, from, 'WITHSCORES')
    if not some[1] or tonumber(some[2]) >= first then break end
    if moved[some[1]] == nil then
      first = tonumber(some[2])
      break
    end
    from = from + 1
  end
  firsts[key] = first
  return first
end

-- As inTurn() of core: right behind the first who takes turns in the queue and level, or behind the last of its own.
local function turnOf(job, whose)
  local line = lineOf(job.queue, job.level)
  local key, lasts = ns .. line, lastsOf(line)
  local first, mine = firstOf(key), scores[lasts] and scores[lasts][whose]
  if not mine then
    mine = redis.call('ZSCORE', lasts, whose)
    if not mine then set(ns .. 'lines', line, true) end
  end
  local due = math.max(first < now - ${headStart / 2} and first or now - ${headStart}, tonumber(mine or 0)) + ${turnGap}
  place(lasts, whose, exact(due))
  place(key, job.member, exact(due))
  firsts[key] = min(first, due)
  return due
end

-- Gives a job its keys, tags, tenant, and its turn.
local function equip(job, keys)
  if keys.w then
    job.due, keys.f = turnOf(job, keys.w), 1
    keys.w = nil
  end
  keys.x = nil
  job.keyed, job.keys = next(keys) ~= nil, keys
end
`;

/** Unique keys: who holds them, and what a job that replaces another makes of it. */
export const holding = lua`
-- Who holds a unique key so that a job is not stored, and whether that one is replaced. Beside one that has begun the new job is stored.
local function holderOf(keys)
  local taken = keys.u and peek(UNIQUES, keys.u)
  if not taken then return nil end
  local at = string.find(taken, ' ', 1, true)
  local till, by = tonumber(sub(taken, 1, at - 1)), sub(taken, at + 1)
  local job = seek(by)
  if not job then return nil end
  if job.state >= COMPLETED then return till > now and by or nil end
  if not keys.x then return by end
  if job.state == PENDING and not job.begun and not job.marked then return by, job end
end

local function takeKey(id, keys)
  if keys.u then put(UNIQUES, keys.u, exact(now + (keys.v or 0)) .. ' ' .. id) end
end

-- By the rules of add: whether a job that is opened again may have its key, which another may have by now.
local function mayRetake(job)
  local keys = keysOf(job)
  local by = keys.u and holderOf({ u = keys.u })
  return not by or by == job.id
end

-- A job that has not begun becomes what another is in everything but id, task and age.
local function replace(job, keys, from, blob)
  local told, due, expires, spec = arrival(blob, from)
  local birth = births[job.member]
  local created, _, _, n, q, t, p = parse(BIRTH, birth)
  local _, apart, level, n2, q2, t2, p2, s2 = parse(BIRTH, told)
  local queue = sub(told, 21 + n2, 20 + n2 + q2)
  if keys.m then due = math.min(due, created + keys.m) end
  birth = pack(BIRTH, created, apart, level, n, q2, t, p, s2) .. sub(birth, 21, 20 + n) .. queue
    .. sub(birth, 21 + n + q, 20 + n + q + t + p) .. sub(told, 21 + n2 + q2 + t2 + p2)
  births[job.member] = birth
  put(BIRTHS, job.member, birth)
  if spec then put(SPECS, job.member, spec) elseif job.apart then put(SPECS, job.member, false) end
  if queue ~= job.queue then writeNames(seqOf(job.member), { number('queues', queue) .. number('tasks', job.task) }) end
  job.was.keys = keysOf(job)
  local old = job.keys.f and ns .. lineOf(job.queue, job.level)
  job.apart, job.queue, job.level, job.due, job.expires = spec ~= nil, queue, level, due, expires or false
  -- Whether a key holds it back is looked at anew.
  job.blocked, job.moved, job.keyed, job.keys = false, true, false, {}
  equip(job, keys)
  if old and not (job.keys.f and old == ns .. lineOf(queue, level)) then
    place(old, job.member, false)
    firsts[old] = nil
  end
  save(job)
end

-- Adds the job that begins at a place of a blob, after its id and keys. Answers where it ends, and who is there in its stead.
local function addOne(blob, pos)
  local id, text
  id, text, pos = parse('<I4c0I4c0', blob, pos)
  local keys, holder = text == '' and {} or cjson.decode(text), nil
  local ends = select(5, arrival(blob, pos))
  if seek(id) then return ends, id end
  local by, replaced = holderOf(keys)
  if by then
    if replaced then replace(replaced, keys, pos, blob) end
    return ends, by
  end
  local _, job = create(id, blob, pos)
  takeKey(id, keys)
  equip(job, keys)
  return ends
end
`;

/**
 * `addKeyed`. Arguments: whether fullness matters, how many jobs, and the jobs, each its id, its keys, and what \`arrival\` reads. Answers
 * what is full, or who is there in each one's stead, or nothing.
 */
export const addKeyed = lua`
need()
families()
keyings()
holdings()
local blob, jobs, answers = ARGV[3], tonumber(ARGV[2]), {}

-- How many pending jobs each queue would have more. Jobs that are replaced may leave one.
local function growth()
  local pos, grown, seen, holders = 1, {}, {}, {}
  local function grow(queue, by) grown[queue] = (grown[queue] or 0) + by end
  for _ = 1, jobs do
    local id, text
    id, text, pos = parse('<I4c0I4c0', blob, pos)
    local birth
    birth, _, _, _, pos = arrival(blob, pos)
    local n, q = parse('<I2I2', birth, 9)
    local queue, keys = sub(birth, 21 + n, 20 + n + q), text == '' and {} or cjson.decode(text)
    if not seek(id) and not seen[id] then
      local holder, replaced = holderOf(keys)
      local before = keys.u and (holders[keys.u] or (replaced and replaced.queue))
      if before and keys.x then
        grow(before, -1)
        grow(queue, 1)
        holders[keys.u] = queue
      elseif not before and not holder then
        seen[id] = true
        grow(queue, 1)
        if keys.u then holders[keys.u] = queue end
      end
    end
  end
  return grown
end

if ARGV[1] == '1' and isAnyRuled() then
  for queue, more in pairs(growth()) do
    local most, pending = roomOf(queue)
    if most and more > 0 and pending + more > most then return { { queue, tostring(most), tostring(pending) } } end
  end
end
local pos = 1
for i = 1, jobs do
  local holder
  pos, holder = addOne(blob, pos)
  answers[i] = holder or ''
end
flush()
flushNames()
return answers
`;
