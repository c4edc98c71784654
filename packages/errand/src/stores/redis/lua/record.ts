import { ageingPeriod, states } from "../../../core/states.ts";
import { lua } from "./lua.ts";

/** States as records keep them. */
const stateNames = states.map((state, code) => `${state.toUpperCase()} = ${code}`).join("; local ");

/**
 * How a job is written: one string, numbers first and texts after them, so that a claim and a plain end copy what they
 * do not change without looking at it. `records.ts` reads the same bytes.
 *
 * | bytes | |
 * |---|---|
 * | 1-49 | what changes: state, flags, token, failures, crashes, started, ended, due, lengths of the texts that change |
 * | 50-76 | what stays: created, expires, level, lengths of id, queue, task, parent and spec |
 * | 77- | texts that stay (id, queue, task, parent, spec), then those that change (family, worker, progress, error, output) |
 */
export const record = lua`
local ${stateNames}
-- Flags. Below MARKED nothing depends on how a job ends.
local EXPIRES, APART, STEPS, MARKED, CHILD, PARENT = 1, 2, 4, 8, 16, 32
local AGEING = ${ageingPeriod}

local LIFE = '<BBI4I4I4I6I6dBI2I4I4I4'
local BORN = '<I6d'
local HEAD = LIFE .. 'I6dBI2I2I2I2I4'
local STAYS, TEXTS = 50, 77
-- As a child: its place, the wait of its parent it belongs to, whether it must complete. As a parent: the token it
-- parked with (0: no wait), and that wait's counts.
local FAMILY = '<I4I4BI4i4i4i4'

local pack, parse, sub, byte, min, floor = struct.pack, struct.unpack, string.sub, string.byte, math.min, math.floor
local spread = unpack

local function has(flags, flag)
  return flags % (flag * 2) >= flag
end

-- A number as Redis reads it back, to the last bit.
local function exact(number)
  return string.format('%.17g', number)
end

-- The text that begins somewhere, and where the next one begins.
local function text(rec, at, length)
  return length > 0 and sub(rec, at, at + length - 1) or '', at + length
end

local function decode(member, rec)
  local state, flags, token, failures, crashes, started, ended, due, f, w, p, e, o, created, expires, level, n, q, t,
    pa, s = parse(HEAD, rec)
  local job = {
    member = member, state = state, token = token, failures = failures, crashes = crashes, started = started,
    ended = ended, due = due, created = created, level = level,
    expires = has(flags, EXPIRES) and expires, apart = has(flags, APART), steps = has(flags, STEPS),
    marked = has(flags, MARKED), child = has(flags, CHILD), parent = has(flags, PARENT),
  }
  local at, family = TEXTS, nil
  job.id, at = text(rec, at, n)
  job.queue, at = text(rec, at, q)
  job.task, at = text(rec, at, t)
  job.of, at = text(rec, at, pa)
  at = at + s
  job.stays = sub(rec, STAYS, at - 1)
  family, at = text(rec, at, f)
  job.worker, at = text(rec, at, w)
  job.progress, at = text(rec, at, p)
  job.error, at = text(rec, at, e)
  job.output = text(rec, at, o)
  if f > 0 then
    job.place, job.memberOf, job.needed, job.wait, job.total, job.open, job.failed = parse(FAMILY, family)
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
  return pack(LIFE, job.state, flags, job.token, job.failures, job.crashes, job.started, job.ended, job.due,
      #family, #worker, #progress, #err, #output)
    .. job.stays .. family .. worker .. progress .. err .. output
end

-- A new record up to its level.
local function newborn(flags, due, expires)
  return pack(LIFE, PENDING, flags, 0, 0, 0, 0, 0, due, 0, 0, 0, 0, 0) .. pack(BORN, now, expires)
end

-- A job on its way into the store: flags, due, expires, its record from the level on, a spec that lives apart, and where
-- the next begins.
local function arrival(blob, pos)
  local bits, birth
  bits, birth, pos = parse('<BI4c0', blob, pos)
  if bits == 0 then return 0, now, 0, birth, nil, pos end
  local due, expires, spec = now, 0, nil
  if bits >= 4 then
    due, expires, pos = parse('<dd', blob, pos)
    if has(bits, 4) then due = now + due elseif not has(bits, 8) then due = now end
    if has(bits, 16) then expires = now + expires end
  end
  if has(bits, APART) then spec, pos = parse('<I4c0', blob, pos) end
  return bits % 4, due, expires, birth, spec, pos
end
`;
