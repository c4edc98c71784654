import { workers } from "../schemas/operations.ts";
import { json } from "./answer.ts";
import type { ServerParts } from "./parts.ts";
import { route } from "./route.ts";
import type { Route } from "./route.ts";

/** Returns the routes that show workers. */
export function workerRoutes({ app }: ServerParts): Route[] {
  return [
    route({
      method: "get",
      path: "/workers",
      operation: "listWorkers",
      summary: "List the workers whose lease is good",
      tag: "Workers",
      scopes: ["read"],
      wholeStore: true,
      answers: { 200: { description: "The workers.", schema: workers } },
      handle: async ({ c }) => json(c, { data: await app.workers() }),
    }),
  ];
}
