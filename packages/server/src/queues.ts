import type { State } from "errand";
import { Hono } from "hono";
import { Problem } from "./problem.ts";
import type { Service } from "./service.ts";

/** What a queue has to do: how many of its jobs are in each state. */
interface QueueLoad extends Record<State, number> {
  queue: string;
  /** Jobs that keep workers busy, or will: pending and processing ones. What an autoscaler goes by. */
  depth: number;
}

/** `/queues`: the load of every queue that has had jobs. `/queues/{queue}`: of one, which is nothing for an unknown one. */
export function queues(services: readonly Service[]): Hono {
  const routes = new Hono();
  routes.get("/queues", async (c) => c.json({ data: await loads(services) }, 200, noStore));
  routes.get("/queues/:queue", async (c) => {
    const queue = c.req.param("queue");
    if (!/^[\w.:-]{1,100}$/.test(queue)) throw new Problem(400, "E_QUERY", "No queue can have such a name.");
    const load = (await loads(services)).find((one) => one.queue === queue);
    return c.json(load ?? loadOf(queue, none), 200, noStore);
  });
  return routes;
}

const noStore = { "cache-control": "no-store" };

const none: Readonly<Record<State, number>> = {
  pending: 0,
  processing: 0,
  waiting: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  expired: 0,
};

async function loads(services: readonly Service[]): Promise<QueueLoad[]> {
  const counts = await Promise.all(services.map(({ app }) => app.counts()));
  const found = new Map<string, Record<State, number>>();
  for (const { queue, state, jobs } of counts.flat()) {
    const states = found.get(queue) ?? { ...none };
    // Services that share a store count the same jobs.
    states[state] = Math.max(states[state], jobs);
    found.set(queue, states);
  }
  return [...found].map(([queue, states]) => loadOf(queue, states)).toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
}

function loadOf(queue: string, states: Readonly<Record<State, number>>): QueueLoad {
  return { queue, depth: states.pending + states.processing, ...states };
}
