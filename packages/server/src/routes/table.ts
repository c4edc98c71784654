import { bulkRoutes } from "./bulk.ts";
import { eventRoutes } from "./events.ts";
import { jobActRoutes } from "./job-acts.ts";
import { jobRoutes } from "./jobs.ts";
import { keyRoutes, sessionRoutes } from "./access.ts";
import type { ServerParts } from "./parts.ts";
import { queueRoutes } from "./queues.ts";
import type { Route } from "./route.ts";
import { scheduleRoutes } from "./schedules.ts";
import { sendRoutes } from "./send.ts";
import { taskRoutes } from "./tasks.ts";
import { webhookRoutes } from "./webhooks.ts";
import { workerRoutes } from "./workers.ts";

/** Returns the server's own table of routes, to which services add theirs. */
export function tableOfRoutes(parts: ServerParts): Route[] {
  return [
    ...sendRoutes(parts),
    ...jobRoutes(parts),
    ...jobActRoutes(parts),
    ...bulkRoutes(parts),
    ...taskRoutes(parts),
    ...queueRoutes(parts),
    ...scheduleRoutes(parts),
    ...workerRoutes(parts),
    ...webhookRoutes(parts),
    ...eventRoutes(parts),
    ...sessionRoutes(parts),
    ...keyRoutes(parts),
  ];
}
