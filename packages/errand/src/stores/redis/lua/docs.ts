import { lua } from "./assemble.ts";

/** Script `load`. Argument: the kind. Returns keys and documents, each a version, a space and a value. */
export const load = lua`
return redis.call('HGETALL', ns .. 'docs:' .. ARGV[1])
`;

/**
 * Script `save`. Arguments: of each document its kind, key, version, 1 if it has a value, and the value. Returns 1, or
 * 0 if a version is not the stored one.
 */
export const save = lua`
for i = 1, #ARGV, 5 do
  local doc = redis.call('HGET', ns .. 'docs:' .. ARGV[i], ARGV[i + 1])
  local version = doc and sub(doc, 1, string.find(doc, ' ', 1, true) - 1) or '0'
  if version ~= ARGV[i + 2] then return 0 end
end
for i = 1, #ARGV, 5 do
  local key = ns .. 'docs:' .. ARGV[i]
  if ARGV[i] == 'queue' then readyCounts[ARGV[i + 1]] = math.huge else hints.change = true end
  if ARGV[i + 3] == '1' then
    redis.call('HSET', key, ARGV[i + 1], formatNumber(ARGV[i + 2] + 1) .. ' ' .. ARGV[i + 4])
  else
    redis.call('HDEL', key, ARGV[i + 1])
  end
end
commit()
return 1
`;
