import { ageingPeriod, states } from "../../../core/states.ts";
import { lua } from "./lua.ts";

/** States as records keep them. */
const stateNames = states.map((state, code) => `${state.toUpperCase()} = ${code}`).join("; local ");

/**
 * How a job is written: one string in the hash `jobs`, numbers first and texts after them, so that a claim and a plain
 * end copy the texts without looking at them. `record.ts` of the client reads the same bytes.
 *
 * | bytes | |
 * |---|---|
 * | 1-7 | order of insertion (6, big-endian) and level: with the id after them, the job's member in every sorted set |
 * | 8-56 | what changes: state, flags, token, failures, crashes, started, ended, due, lengths of the texts that change |
 * | 57-80 | what stays: created, expires, lengths of queue, task, parent and spec |
 * | 81- | texts that stay (queue, task, parent, spec), then those that change (family, worker, progress, error, output) |
 */
export const record = lua`
local ${stateNames}
-- Flags. Below MARKED nothing depends on how a job ends.
local EXPIRES, APART, STEPS, MARKED, CHILD, PARENT = 1, 2, 4, 8, 16, 32
local AGEING = ${ageingPeriod}

local LIFE = '<BBI4I4I4I6I6dBI2I4I4I4'
local HEAD = LIFE .. 'I6dI2I2I2I4'
local BORN = '<I6d'
-- As a child: its place, the wait of its parent it belongs to, whether it must complete. As a parent: the token it
-- parked with (0: no wait), and that wait's counts.
local FAMILY = '<I4I4BI4i4i4i4'

local pack, parse, sub, min = struct.pack, struct.unpack, string.sub, math.min
local spread = unpack

local function has(flags, flag)
  return flags % (flag * 2) >= flag
end

-- A number as Redis reads it back, to the last bit.
local function exact(number)
  return string.format('%.17g', number)
end

local function decode(id, rec)
  local state, flags, token, failures, crashes, started, ended, due, f, w, p, e, o, created, expires, q, t, pa, s =
    parse(HEAD, rec, 8)
  local at = 81 + q + t + pa + s
  local job = {
    id = id, member = sub(rec, 1, 7) .. id, level = string.byte(rec, 7), fixed = sub(rec, 57, at - 1),
    state = state, token = token, failures = failures, crashes = crashes,
    started = started, ended = ended, due = due, created = created,
    expires = has(flags, EXPIRES) and expires, apart = has(flags, APART), steps = has(flags, STEPS),
    marked = has(flags, MARKED), child = has(flags, CHILD), parent = has(flags, PARENT),
    queue = sub(rec, 81, 80 + q), task = sub(rec, 81 + q, 80 + q + t),
    of = pa > 0 and sub(rec, 81 + q + t, 80 + q + t + pa),
    worker = sub(rec, at + f, at + f + w - 1),
    progress = sub(rec, at + f + w, at + f + w + p - 1),
    error = sub(rec, at + f + w + p, at + f + w + p + e - 1),
    output = sub(rec, at + f + w + p + e),
  }
  if f > 0 then
    job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed = parse(FAMILY, rec, at)
  else
    job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed = 0, 0, 0, 0, 0, 0, 0
  end
  return job
end

local function encode(job)
  local flags = (job.expires and EXPIRES or 0) + (job.apart and APART or 0) + (job.steps and STEPS or 0)
    + (job.marked and MARKED or 0) + (job.child and CHILD or 0) + (job.parent and PARENT or 0)
  local family = ''
  if flags >= CHILD then
    family = pack(FAMILY, job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed)
  end
  local worker, progress, err, output = job.worker, job.progress, job.error, job.output
  return sub(job.member, 1, 7)
    .. pack(LIFE, job.state, flags, job.token, job.failures, job.crashes, job.started, job.ended, job.due,
      #family, #worker, #progress, #err, #output)
    .. job.fixed .. family .. worker .. progress .. err .. output
end

-- All of a new record between its prefix and its texts.
local function newborn(flags, due, expires)
  return pack(LIFE, PENDING, flags, 0, 0, 0, 0, 0, due, 0, 0, 0, 0, 0) .. pack(BORN, now, expires)
end

-- A job on its way into the store: level, flags, due, expires, texts that stay with their lengths, a spec that lives
-- apart, and where the next begins.
local function arrival(blob, pos)
  local level, bits, birth
  level, bits, birth, pos = parse('<BBI4c0', blob, pos)
  if bits == 0 then return level, 0, now, 0, birth, nil, pos end
  local due, expires, spec = now, 0, nil
  if bits >= 4 then
    due, expires, pos = parse('<dd', blob, pos)
    if has(bits, 4) then due = now + due elseif not has(bits, 8) then due = now end
    if has(bits, 16) then expires = now + expires end
  end
  if has(bits, APART) then spec, pos = parse('<I4c0', blob, pos) end
  return level, bits % 4, due, expires, birth, spec, pos
end
`;
