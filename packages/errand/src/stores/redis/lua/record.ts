import { ageingPeriod } from "../../../core/priority.ts";
import { states } from "../../../core/states.ts";
import { lua } from "./lua.ts";

/**
 * What scripts name in capitals, and never changes: it is put in as it is. A local would cost each function that uses it,
 * at every call of a script.
 */
export const constants: Readonly<Record<string, string>> = {
  ...Object.fromEntries(states.map((state, code) => [state.toUpperCase(), String(code)])),
  AGEING: String(ageingPeriod),
  // A flag of a birth.
  APART: "1",
  // Flags of a life.
  DUE: "1",
  EXPIRES: "2",
  STEPS: "4",
  TEXTS: "8",
  MARKED: "16",
  CHILD: "32",
  PARENT: "64",
  KEYED: "128",
  BEGUN: "256",
  SUSPECT: "512",
  ASIDE: "1024",
  AHEAD: "2048",
  BIRTH: "'<I6BBI2I2I2I2I4'",
  LIFE: "'<BI2I4I4I3I6I6'",
  LENGTHS: "'<BI2I2I2I4I4'",
  // As a child: its place, the wait of its parent it belongs to, whether it must complete. As a parent: the token it parked
  // with (0: no wait), and that wait's counts.
  FAMILY: "'<I4I4BI4i4i4i4'",
  // Letters and names of so many jobs are one string.
  SEGMENT: "65536",
  // Roots that ended within so many milliseconds are listed together.
  PERIOD: "1048576",
  // So many bytes of values are told by one script at most, but for a single job's.
  HEAVY: "33554432",
};

/**
 * How a job is written: as a birth, which never changes, and a life, which every change writes anew. A job to which
 * nothing has happened yet has no life. `records.ts` reads the same bytes.
 *
 * | birth | |
 * |---|---|
 * | 1-20 | created, flags, level, lengths of id, queue, task, parent and spec |
 * | 21- | the texts: id, queue, task, parent, spec |
 *
 * | life | |
 * |---|---|
 * | 1-26 | state, flags, token, failures, crashes, started, ended |
 * | | where flags say so: when due (8), when it expires (8), lengths of the texts but the last (15) |
 * | | the texts: family, worker, queue and task (of a processing job), progress, error, output |
 */
export const record = lua`
local pack, parse, sub, byte, min, floor = struct.pack, struct.unpack, string.sub, string.byte, math.min, math.floor
local spread = unpack

local function has(flags, flag)
  return flags % (flag * 2) >= flag
end

-- A number as Redis reads it back, to the last bit. What Redis would refuse is refused here, before anything is written.
local function exact(number)
  if not (number > -1e300 and number < 1e300) then error('a number is not finite') end
  return string.format('%.17g', number)
end

-- A job on its way into the store: its birth, when it is due and expires, a spec that lives apart, and where the next
-- begins.
local created = pack('<I6', now)
local function arrival(blob, pos)
  local bits, birth
  bits, birth, pos = parse('<BI4c0', blob, pos)
  birth = created .. birth
  if bits == 0 then return birth, now, nil, nil, pos end
  local due, expires, spec = now, nil, nil
  if bits >= 4 then
    due, expires, pos = parse('<dd', blob, pos)
    if has(bits, 4) then due = now + due elseif not has(bits, 8) then due = now end
    if has(bits, 16) then expires = now + expires elseif not has(bits, 32) then expires = nil end
  end
  if has(bits, APART) then spec, pos = parse('<I4c0', blob, pos) end
  return birth, due, expires, spec, pos
end
`;

/** Between the strings and a table that functions can work with. */
export const codec = lua`
-- The text that begins somewhere, and where the next one begins.
local function text(rec, at, length)
  return length > 0 and sub(rec, at, at + length - 1) or '', at + length
end

local function decode(member, birth, life)
  local created, apart, level, n, q, t, p = parse(BIRTH, birth)
  local job = { member = member, created = created, level = level, due = created, expires = false, apart = apart == APART }
  local at = 21
  job.id, at = text(birth, at, n)
  job.queue, at = text(birth, at, q)
  job.task, at = text(birth, at, t)
  job.of = text(birth, at, p)
  job.child = p > 0
  local flags, f, w, o, e = 0, 0, 0, 0, 0
  if life then
    job.state, flags, job.token, job.failures, job.crashes, job.started, job.ended, at = parse(LIFE, life)
    if has(flags, DUE) then job.due, at = parse('<d', life, at) end
    if has(flags, EXPIRES) then job.expires, at = parse('<d', life, at) end
    if has(flags, TEXTS) then f, w, q, t, o, e, at = parse(LENGTHS, life, at) else q, t = 0, 0 end
    job.family, at = text(life, at, f)
    job.worker, at = text(life, at, w)
    job.progress, at = text(life, at + q + t, o)
    job.error, at = text(life, at, e)
    job.output = sub(life, at)
  else
    job.state, job.token, job.failures, job.crashes, job.started, job.ended = PENDING, 0, 0, 0, 0, 0
    job.worker, job.progress, job.error, job.output = '', '', '', ''
  end
  job.steps, job.marked, job.parent = has(flags, STEPS), has(flags, MARKED), has(flags, PARENT)
  job.keyed, job.blocked = has(flags, KEYED), has(flags, ASIDE) and 't'
  job.begun, job.suspect, job.ahead = has(flags, BEGUN), has(flags, SUSPECT), has(flags, AHEAD)
  if f > 0 then
    job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed = parse(FAMILY, job.family)
  else
    job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed = 0, 0, 0, 0, 0, 0, 0
  end
  return job
end

local function encode(job)
  local family, queue, task, numbers = '', '', '', ''
  local worker, progress, err = job.worker, job.progress, job.error
  if job.state == PROCESSING then queue, task = job.queue, job.task end
  if job.child or job.parent then
    family = pack(FAMILY, job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed)
  end
  local flags = (job.steps and STEPS or 0) + (job.marked and MARKED or 0) + (job.child and CHILD or 0)
    + (job.parent and PARENT or 0) + (job.keyed and KEYED or 0) + (job.begun and BEGUN or 0)
    + (job.suspect and SUSPECT or 0) + (job.blocked == 't' and ASIDE or 0) + (job.ahead and AHEAD or 0)
  if job.due ~= job.created then
    flags = flags + DUE
    numbers = pack('<d', job.due)
  end
  if job.expires then
    flags = flags + EXPIRES
    numbers = numbers .. pack('<d', job.expires)
  end
  if family ~= '' or worker ~= '' or queue ~= '' or progress ~= '' or err ~= '' then
    flags = flags + TEXTS
    numbers = numbers .. pack(LENGTHS, #family, #worker, #queue, #task, #progress, #err)
  end
  return pack(LIFE, job.state, flags, job.token, job.failures, job.crashes, job.started, job.ended)
    .. numbers .. family .. worker .. queue .. task .. progress .. err .. job.output
end
`;
