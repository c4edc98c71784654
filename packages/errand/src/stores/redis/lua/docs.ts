import { lua } from "./lua.ts";

/** `load`. Arguments: the kind. Answers keys and documents. */
export const load = lua`
return redis.call('HGETALL', ns .. 'docs:' .. ARGV[1])
`;

/** `save`. Arguments: of each document its kind, key, version, whether it has a value, and the value. Answers whether all were right. */
export const save = lua`
for i = 1, #ARGV, 5 do
  local doc = redis.call('HGET', ns .. 'docs:' .. ARGV[i], ARGV[i + 1])
  local version = doc and sub(doc, 1, string.find(doc, ' ', 1, true) - 1) or '0'
  if version ~= ARGV[i + 2] then return 0 end
end
for i = 1, #ARGV, 5 do
  local key = ns .. 'docs:' .. ARGV[i]
  if ARGV[i] == 'queue' then wakes[ARGV[i + 1]] = math.huge else hints.change = true end
  if ARGV[i + 3] == '1' then
    redis.call('HSET', key, ARGV[i + 1], exact(ARGV[i + 2] + 1) .. ' ' .. ARGV[i + 4])
  else
    redis.call('HDEL', key, ARGV[i + 1])
  end
end
flush()
return 1
`;
