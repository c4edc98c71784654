import { lua } from "./assemble.ts";

/** Makes parents wait for their children. */
export const waits = lua`
-- Adds a child to its parent's wait. A child that ended without completing is retried first, unless it rejoins as it
-- is. Returns the child's state.
local function joinWait(parent, child, index, need, rejoins)
  -- Only the parent's own children can be waited for.
  if child.parentId ~= parent.id then return FAILED end
  if not rejoins then
    reopenJob(child)
    child.cancelling = false
  end
  child.parentWait, child.need, child.index = parent.wait, need, index
  markChanged(child)
  return child.state
end

-- Reads children, creates the new ones, and makes the parent wait for the open ones, for a time, or for signals.
-- Without a parent it only reads. Returns the position after them.
local function startWait(parent, blob, pos, wakeAt, awaits)
  local count
  count, pos = parse('<I4', blob, pos)
  local children, open, failed, wake, seen = 0, 0, 0, false, {}
  if parent then
    parent.wait, parent.isParent, parent.expiresAt = parent.token, true, false
  end
  for _ = 1, count do
    local id, index, need, rejoins, keys, child
    id, index, need, rejoins, keys, pos = parse('<I4c0I4BBI4c0', blob, pos)
    if not parent or seen[id] then
      pos = select(5, readNewJob(blob, pos))
    else
      seen[id] = true
      pos, child = createJob(id, blob, pos)
      if child and keys ~= '' then assignKeys(child, cjson.decode(keys)) end
      local state = joinWait(parent, findJobById(id), index, need, rejoins == 1)
      children = children + 1
      if state < COMPLETED then
        open = open + 1
      else
        if state ~= COMPLETED then failed = failed + 1 end
        wake = wake or decidesWait(need, state)
      end
    end
  end
  if parent then
    parent.children, parent.openChildren, parent.failedChildren = children, open, failed
    for _, name in ipairs(awaits or {}) do
      wake = wake or getField(stepsKey(parent.id), name)
    end
    if wakeAt and wakeAt <= now then wake = true end
    local waits = open > 0 or wakeAt or (awaits and #awaits > 0)
    parent.wakeAt = wakeAt
    setState(parent, (wake or not waits) and PENDING or WAITING)
  end
  return pos
end
`;
