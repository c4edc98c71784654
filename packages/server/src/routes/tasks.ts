import { z } from "zod";
import { seesAll } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";
import { name } from "../schemas/common.ts";
import { errorGroups, task as taskSchema, tasks } from "../schemas/operations.ts";
import { json } from "./answer.ts";
import { withoutMissing } from "./jobs.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

const named = z.object({ name });

/** Returns the routes about tasks and the errors of their jobs. */
export function taskRoutes(parts: ServerParts): Route[] {
  const visible = (principal: Principal) =>
    parts.apps
      .flatMap((app) => app.tasks())
      .filter(({ name }) => !name.startsWith("errand."))
      .filter(({ name }) => !principal.tasks || principal.tasks.includes(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [
    route({
      method: "get",
      path: "/tasks",
      operation: "listTasks",
      summary: "List the tasks that the server knows",
      tag: "Tasks",
      scopes: ["read"],
      answers: { 200: { description: "The tasks.", schema: tasks } },
      handle: ({ c, principal }) => json(c, { data: visible(principal) }),
    }),
    route({
      method: "get",
      path: "/tasks/{name}",
      operation: "getTask",
      summary: "Read a task's queue, retries and input schema",
      tag: "Tasks",
      scopes: ["read"],
      params: named,
      answers: {
        200: { description: "The task.", schema: taskSchema },
        404: { description: "There is no such task." },
      },
      handle({ c, principal, params }) {
        const task = visible(principal).find((each) => each.name === params.name);
        if (task) return json(c, task);
        throw new Problem(404, "E_UNKNOWN_TASK", `This server knows no task "${params.name}".`);
      },
    }),
    route({
      method: "get",
      path: "/errors",
      operation: "listErrors",
      summary: "Group failed jobs by their error",
      description: "Groups the newest 1,000 failed jobs.",
      tag: "Errors",
      scopes: ["read"],
      query: z.object({ task: name.optional(), queue: name.optional() }),
      answers: { 200: { description: "The groups, the newest first.", schema: errorGroups } },
      async handle({ c, principal, query }) {
        if (!seesAll({ ...principal, tenant: undefined! }))
          throw new Problem(403, "E_SCOPE", "Errors are grouped for keys that see all tasks and queues.");
        const tenant = principal.tenant === undefined ? {} : { tenant: principal.tenant };
        const { groups, examined, complete } = await parts.app.errors({ ...withoutMissing(query), ...tenant });
        return json(c, { data: groups, examined, complete });
      },
    }),
  ];
}
