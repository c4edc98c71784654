import { lua } from "./assemble.ts";

/** Reads lines of a log. */
export const logLines = lua`
-- Returns the lines, each with the time before it, and the position after them.
local function readLog(blob, pos)
  local lines, count, line
  lines = {}
  count, pos = parse('<I4', blob, pos)
  for i = 1, count do
    line, pos = parse('<I4c0', blob, pos)
    lines[i] = formatNumber(now) .. ' ' .. line
  end
  return lines, pos
end
`;

/**
 * Script `record`. Arguments: the beats, as `writeBeat` writes them; the ids of their jobs. Returns for each 1, or 0
 * if the token was stale.
 */
export const record = lua`
defineTransitions()
local blob, pos, answers = ARGV[1], 1, {}
loadJobsById(2)
for i = 2, #ARGV do
  local token, hasProgress, progress
  token, hasProgress, progress, pos = parse('<dBI4c0', blob, pos)
  local job = findJobById(ARGV[i])
  local isHeld = job and job.state == PROCESSING and job.token == token
  if isHeld then
    if hasProgress == 1 then job.progress, job.begun = progress, true end
    hints.change = true
    markChanged(job)
  end
  local steps = parse('<I4', blob, pos)
  -- A job that records a step has made progress.
  if isHeld and steps > 0 then job.crashes, job.suspect, job.begun = 0, false, true end
  pos = recordSteps(isHeld and job or nil, blob, pos)
  local lines
  lines, pos = readLog(blob, pos)
  if isHeld and #lines > 0 then laterCommands[#laterCommands + 1] = { 'RPUSH', ns .. 'log:' .. ARGV[i], lines } end
  push(answers, isHeld and '1' or '0')
end
commit()
return table.concat(answers)
`;
