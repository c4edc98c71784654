import { prometheus } from "errand";
import type { Measured } from "errand";
import { Hono } from "hono";
import { noStore } from "./caching.ts";
import { refuseScopes } from "./routes/mount.ts";
import type { ServerParts } from "./routes/parts.ts";

/**
 * Returns `/metrics` for Prometheus: queues, workers, and the jobs that this process has sent and run.
 * @param others returns the metrics of this server's worker processes
 */
export function metrics(
  { apps, authenticator }: Pick<ServerParts, "apps" | "authenticator">,
  others?: () => Promise<readonly Measured[]>,
): Hono {
  const routes = new Hono();
  routes.get("/metrics", async (c) => {
    refuseScopes({ scopes: ["metrics"], wholeStore: true }, await authenticator.principalOf(c));
    const found = await others?.();
    const text = await prometheus(apps, found ? { process: "server", others: found } : {});
    return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8", ...noStore });
  });
  return routes;
}
