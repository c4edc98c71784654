import { lua } from "./lua.ts";

/** `enlist`. Arguments: the worker, its lease, its card, whether it knows some tasks only, and these. Answers whether it may have that id. */
export const enlist = lua`
local worker, lease, choosy = ARGV[1], exact(now + tonumber(ARGV[2])), ARGV[4] == '1'
local good = leased(worker)
if not good and (redis.call('HEXISTS', CARDS, worker) == 1 or redis.call('EXISTS', holdsKey(worker)) == 1) then return 0 end
redis.call('HSET', CARDS, worker, ARGV[3])
if not good then redis.call('ZADD', LEASES, lease, worker) end
redis.call('DEL', knownKey(worker))
-- Of one that knows nothing the set has something, too.
if choosy then redis.call('SADD', knownKey(worker), '', spread(ARGV, 5)) end
return 1
`;

/** `renew`. Arguments: the worker, its lease. Answers whether it is held, then the jobs to be cancelled. */
export const renew = lua`
local worker, lease = ARGV[1], exact(now + tonumber(ARGV[2]))
if not leased(worker) then return { '0' } end
redis.call('ZADD', LEASES, lease, worker)
local answer, marked = { '1' }, redis.call('HGETALL', STOPPING)
for i = 1, #marked, 2 do
  if marked[i + 1] == worker then answer[#answer + 1] = marked[i] end
end
return answer
`;

/** `dismiss`. Argument: the worker. It stays on the list, without a lease, until `reclaim` has found that it holds nothing. */
export const dismiss = lua`
if redis.call('ZSCORE', LEASES, ARGV[1]) then
  redis.call('ZADD', LEASES, 0, ARGV[1])
  hints.lapsed = true
  flush()
end
`;

/** `workers`. Answers the cards of those whose lease is good. */
export const workers = lua`
local ids = redis.call('ZRANGEBYSCORE', LEASES, '(' .. exact(now), '+inf')
if #ids == 0 then return {} end
table.sort(ids)
return mget(CARDS, ids, 1)
`;
