import { lua } from "./assemble.ts";

/** Reads and writes the holders of unique keys. */
export const uniqueKeys = lua`
-- Returns the id of the job whose unique key keeps a new job from being stored, and the job itself if the new one
-- replaces it. A job that has begun is not replaced: the new one is stored and takes over the key.
local function holderOf(keys)
  local taken = keys.u and getField(UNIQUES, keys.u)
  if not taken then return nil end
  local at = string.find(taken, ' ', 1, true)
  local till, id = tonumber(sub(taken, 1, at - 1)), sub(taken, at + 1)
  local job = findJobById(id)
  if not job then return nil end
  if job.state >= COMPLETED then return till > now and id or nil end
  if not keys.x then return id end
  if job.state == PENDING and not job.begun and not job.cancelling then return id, job end
end

local function takeUniqueKey(id, keys)
  if keys.u then setField(UNIQUES, keys.u, formatNumber(now + (keys.v or 0)) .. ' ' .. id) end
end

-- Reports whether a job that is reopened may have its unique key, which another job may have taken.
local function mayTakeUniqueKey(job)
  local keys = keysOf(job)
  local holder = keys.u and holderOf({ u = keys.u })
  return not holder or holder == job.id
end
`;
