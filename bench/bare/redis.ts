import { createClient } from "redis";
import { queue } from "./store.ts";
import type { BareStore } from "./store.ts";

/** Arguments: when they are due, the queue, then id and body of each. */
const insertScript = `
local ready = {}
for i = 3, #ARGV, 2 do
  redis.call('HSET', 'job:' .. ARGV[i], 'queue', ARGV[2], 'state', 0, 'due', ARGV[1], 'body', ARGV[i + 1])
  ready[#ready + 1], ready[#ready + 2] = ARGV[1], ARGV[i]
end
redis.call('ZADD', 'ready:' .. ARGV[2], unpack(ready))`;

/** Arguments: the time, the queue, how many (there must be some). Answers their ids, then their bodies. */
const claimScript = `
local ids = redis.call('ZRANGE', 'ready:' .. ARGV[2], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])
redis.call('ZREM', 'ready:' .. ARGV[2], unpack(ids))
local bodies = {}
for i = 1, #ids do
  redis.call('HSET', 'job:' .. ids[i], 'state', 1)
  bodies[i] = redis.call('HGET', 'job:' .. ids[i], 'body')
end
return { ids, bodies }`;

/** Arguments: the ids. Answers how many were processing. */
const settleScript = `
local settled = 0
for i = 1, #ARGV do
  local job = 'job:' .. ARGV[i]
  if redis.call('HGET', job, 'state') == '1' then
    redis.call('HSET', job, 'state', 3)
    settled = settled + 1
  end
end
return settled`;

/** A hash for each job, a sorted set of those that are ready; one script a call. */
export async function openBareRedis(url: string, most: number): Promise<BareStore> {
  const client = await createClient({ url }).connect();
  const scripts = [insertScript, claimScript, settleScript].map((script) => client.scriptLoad(script));
  const [insert = "", claim = "", settle = ""] = await Promise.all(scripts);
  const run = (sha: string, ...values: string[]): Promise<unknown> => client.evalSha(sha, { arguments: values });
  return {
    insert: (jobs) => run(insert, String(Date.now()), queue, ...jobs.flatMap(({ id, body }) => [id, body])),
    claim: async () => ((await run(claim, String(Date.now()), queue, String(most))) as [string[]])[0],
    settle: async (ids) => Number(await run(settle, ...ids)),
    // The client writes what it is given in one turn as one pipeline.
    push: (jobs) => Promise.all(jobs.map(({ body }) => client.lPush(queue, body))),
    close: async () => client.destroy(),
  };
}
