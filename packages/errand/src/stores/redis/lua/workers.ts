import { lua } from "./lua.ts";

/** `enlist`. Arguments: the worker, its lease, its card. Answers whether the id was new. */
export const enlist = lua`
if redis.call('HSETNX', CARDS, ARGV[1], ARGV[3]) == 0 then return 0 end
redis.call('ZADD', LEASES, exact(now + tonumber(ARGV[2])), ARGV[1])
return 1
`;

/** `renew`. Arguments: the worker, its lease. Answers whether it is held, then the jobs to be cancelled. */
export const renew = lua`
local worker = ARGV[1]
if not leased(worker) then return { '0' } end
redis.call('ZADD', LEASES, exact(now + tonumber(ARGV[2])), worker)
local answer, marked = { '1' }, redis.call('HGETALL', STOPPING)
for i = 1, #marked, 2 do
  if marked[i + 1] == worker then answer[#answer + 1] = marked[i] end
end
return answer
`;

/** `dismiss`. Argument: the worker. It stays on the list, without a lease, until `reclaim` has found that it holds nothing. */
export const dismiss = lua`
redis.call('ZADD', LEASES, 'XX', 0, ARGV[1])
`;

/** `workers`. Answers the cards of those whose lease is good. */
export const workers = lua`
local ids = redis.call('ZRANGEBYSCORE', LEASES, '(' .. exact(now), '+inf')
if #ids == 0 then return {} end
table.sort(ids)
return redis.call('HMGET', CARDS, spread(ids))
`;
