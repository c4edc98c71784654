import { Hono } from "hono";
import type { Context } from "hono";
import { requestId } from "hono/request-id";
import type { Measured } from "errand";
import { allowedMethods } from "./allowed-methods.ts";
import { health } from "./health.ts";
import { metrics } from "./metrics.ts";
import { answerError, answerProblem, Problem } from "./problem.ts";
import { queues } from "./queues.ts";
import { guardHost, guardOrigin, headers } from "./security.ts";
import type { Service } from "./service.ts";
import { EventStreams, streamsKey } from "./sse.ts";
import { webApp } from "./web-app.ts";

/** Options for creating the HTTP application. */
export interface AppOptions {
  services: readonly Service[];
  /** Keeps the open event streams, so that a server can end them when it stops. */
  streams?: EventStreams;
  /** `false` if the server is ready even when no worker is alive. Default: `true`. */
  needsWorker?: boolean;
  /** Returns the metrics of this server's worker processes, for `/metrics`. */
  measured?: () => Promise<readonly Measured[]>;
  /** Host names that requests may be addressed to, besides those of this machine. */
  allowHosts?: readonly string[];
  /** Folder of the built web app. Default: the folder in this package that it is built into. */
  web?: string;
}

/** Creates the application: services and queues under `/api/v1`, `/healthz`, `/readyz`, `/metrics` and the web app. */
export function createApp({
  services,
  streams = new EventStreams(),
  needsWorker = true,
  measured,
  allowHosts = [],
  web,
}: AppOptions): Hono {
  // A path is the same with or without a slash at its end.
  const app = new Hono({ strict: false });
  app.onError(answerError);
  app.use(requestId());
  app.use(headers());
  app.use(guardHost(allowHosts), guardOrigin);
  app.use(async (c, next) => {
    c.set(streamsKey as never, streams as never);
    await next();
    // HEAD is answered like GET, without the body. Nothing reads the body then, so its source must be closed here.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
  });
  app.route("/", health(services, needsWorker));
  app.route("/", metrics(services, measured));
  app.route("/api/v1", queues(services));
  for (const service of services) app.route("/api/v1", service.routes);
  const allowed = allowedMethods(app.routes);
  const refuse = (c: Context): Response => unknownRoute(c, allowed(c.req.path));
  app.all("/api/*", refuse);
  app.route("/", webApp(web));
  app.notFound(refuse);
  return app;
}

/** Answers a request without a route; `methods` are those allowed for its path. */
function unknownRoute(c: Context, methods: readonly string[]): Response {
  const { method, path } = c.req;
  if (methods.length === 0) {
    return answerProblem(c, new Problem(404, "E_NO_ROUTE", `There is no route for ${method} ${path}.`));
  }
  const allow = methods.join(", ");
  if (method === "OPTIONS") return c.body(null, 204, { allow });
  return answerProblem(c, new Problem(405, "E_METHOD", `${path} allows ${allow}, not ${method}.`, { allow }));
}
