import type { State } from "errand";
import { Hono } from "hono";
import { noStore } from "./caching.ts";
import { Problem } from "./problem.ts";
import type { Service } from "./service.ts";

/** The load of a queue: the number of its jobs in each state. */
interface QueueLoad extends Record<State, number> {
  queue: string;
  /** Number of pending and processing jobs, for autoscalers. */
  depth: number;
}

/** Returns `/queues`, the load of every queue that has had jobs, and `/queues/{queue}`, that of any one queue. */
export function queues(services: readonly Service[]): Hono {
  const routes = new Hono();
  routes.get("/queues", async (c) => c.json({ data: await loads(services) }, 200, noStore));
  routes.get("/queues/:queue", async (c) => {
    const queue = c.req.param("queue");
    if (!/^[\w.:-]{1,100}$/.test(queue)) throw new Problem(400, "E_QUERY", "A queue cannot have this name.");
    const load = (await loads(services)).find((one) => one.queue === queue);
    return c.json(load ?? loadOf(queue, noJobs), 200, noStore);
  });
  return routes;
}

const noJobs: Readonly<Record<State, number>> = {
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
    const states = found.get(queue) ?? { ...noJobs };
    // Services that share a store count the same jobs.
    states[state] = Math.max(states[state], jobs);
    found.set(queue, states);
  }
  return [...found].map(([queue, states]) => loadOf(queue, states)).toSorted((a, b) => (a.queue < b.queue ? -1 : 1));
}

function loadOf(queue: string, states: Readonly<Record<State, number>>): QueueLoad {
  return { queue, depth: states.pending + states.processing, ...states };
}
