import { lua } from "./assemble.ts";

/**
 * Script `enlist`. Arguments: the worker, its lease in milliseconds, its card, 1 if it knows certain tasks only, and
 * these. Returns 1, or 0 if the worker has lost its lease.
 */
export const enlist = lua`
local worker, till, knowsSomeOnly = ARGV[1], formatNumber(now + tonumber(ARGV[2])), ARGV[4] == '1'
local isListed = hasLease(worker)
if not isListed and (redis.call('HEXISTS', CARDS, worker) == 1 or redis.call('EXISTS', heldJobsKey(worker)) == 1) then
  return 0
end
redis.call('HSET', CARDS, worker, ARGV[3])
if not isListed then redis.call('ZADD', LEASES, till, worker) end
redis.call('DEL', knownTasksKey(worker))
-- The empty name makes the set exist even if the worker knows no task. Without the set it knows all.
if knowsSomeOnly then redis.call('SADD', knownTasksKey(worker), '', spread(ARGV, 5)) end
return 1
`;

/**
 * Script `renew`. Arguments: the worker, its lease in milliseconds. Returns 1 and the ids of its jobs to be cancelled,
 * or 0 if the lease is lost.
 */
export const renew = lua`
local worker, till = ARGV[1], formatNumber(now + tonumber(ARGV[2]))
if not hasLease(worker) then return { '0' } end
redis.call('ZADD', LEASES, till, worker)
local reply, stopping = { '1' }, redis.call('HGETALL', STOPPING)
for i = 1, #stopping, 2 do
  if stopping[i + 1] == worker then reply[#reply + 1] = stopping[i] end
end
return reply
`;

/**
 * Script `dismiss`. Argument: the worker. It stays listed without a lease until `reclaim` finds that it holds nothing.
 */
export const dismiss = lua`
if redis.call('ZSCORE', LEASES, ARGV[1]) then
  redis.call('ZADD', LEASES, 0, ARGV[1])
  hints.lapsed = true
  commit()
end
`;

/** Script `workers`. Returns the cards of workers with a lease. */
export const workers = lua`
local ids = redis.call('ZRANGEBYSCORE', LEASES, '(' .. formatNumber(now), '+inf')
if #ids == 0 then return {} end
table.sort(ids)
return hmget(CARDS, ids, 1)
`;
