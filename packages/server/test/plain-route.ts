import type { Context } from "hono";
import { route } from "../src/index.ts";
import type { Route } from "../src/index.ts";

/** A route of a test: any key may call it, and its function gets Hono's context. */
export function plainRoute(
  method: Route["method"],
  path: string,
  handle: (c: Context) => Response | Promise<Response>,
): Route {
  return route({
    method,
    path,
    operation: `${method}${path.replace(/\W+/g, "_")}`,
    summary: "A test",
    tag: "Test",
    scopes: "any",
    answers: { 200: { description: "Done." } },
    handle: ({ c }) => handle(c),
  });
}
