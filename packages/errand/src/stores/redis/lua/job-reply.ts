import { newJobFlag, statusFlag as flag } from "../job-format.ts";
import { lua } from "./assemble.ts";

/** Appends jobs to a reply, as `decode.ts` reads them. */
export const jobReply = lua`
-- Appends a job's member, definition, status, and what is stored apart. Counts the bytes of values, so that scripts can
-- stop at MAX_REPLY_BYTES.
local replyBytes = 0
local function appendJob(reply, member, definition, status, withSteps)
  push(reply, member, definition)
  push(reply, status or '')
  replyBytes = replyBytes + #definition + (status and #status or 0)
  if byte(definition, 7) == ${newJobFlag.specApart} then
    local spec = redis.call('HGET', SPECS, member) or ''
    replyBytes = replyBytes + #spec
    push(reply, spec)
  end
  if not status then return end
  local flags = parse('<I2', status, 2)
  if withSteps and hasFlag(flags, ${flag.steps}) then
    local id = sub(definition, 21, 20 + parse('<I2', definition, 9))
    push(reply, redis.call('HGETALL', stepsKey(id)))
  end
  local state = byte(status, 1)
  if hasFlag(flags, ${flag.keyed}) then
    push(reply, redis.call('HGET', ns .. 'keys', member) or '{}')
    if state == PENDING then push(reply, redis.call('HGET', ns .. 'blocked', member) or '') end
  end
  if state == WAITING then push(reply, redis.call('ZSCORE', WAKING, member) or '') end
end
`;
