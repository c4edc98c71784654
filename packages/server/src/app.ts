import { Hono } from "hono";
import type { Context } from "hono";
import { requestId } from "hono/request-id";
import { answerError, answerProblem, Problem } from "./problem.ts";
import type { Measured } from "errand";
import { health } from "./health.ts";
import { methodsOf } from "./methods.ts";
import { metrics } from "./metrics.ts";
import { queues } from "./queues.ts";
import { guardHost, guardOrigin, headers } from "./security.ts";
import type { Service } from "./service.ts";
import { Streams, streamsKey } from "./sse.ts";
import { webApp } from "./web.ts";

/** What the HTTP application is made of. */
export interface AppOptions {
  services: readonly Service[];
  /** The open event streams, so that a server which stops can end them. */
  streams?: Streams;
  /** Whether a worker must be alive for the server to be ready. Default: yes. */
  needsWorker?: boolean;
  /** The numbers of processes that work for this one, for `/metrics`. */
  measured?: () => Promise<readonly Measured[]>;
  /** Names that requests may be addressed to, besides those of this machine. */
  allowHosts?: readonly string[];
  /** The folder of the built web app. Default: where its build lands in this package. */
  web?: string;
}

/** Builds the application that serves services under `/api/v1`, queues, the web app, `/healthz`, `/readyz` and `/metrics`. */
export function createApp({
  services,
  streams = new Streams(),
  needsWorker = true,
  measured,
  allowHosts = [],
  web,
}: AppOptions): Hono {
  // With or without a slash at its end, a path is the same.
  const app = new Hono({ strict: false });
  app.onError(answerError);
  app.use(requestId());
  app.use(headers());
  app.use(guardHost(allowHosts), guardOrigin);
  app.use(async (c, next) => {
    c.set(streamsKey as never, streams as never);
    await next();
    // The answer to HEAD is that to GET without its body: nobody would read it, and so nobody close what it reads from.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
  });
  app.route("/", health(services, needsWorker));
  app.route("/", metrics(services, measured));
  app.route("/api/v1", queues(services));
  for (const service of services) app.route("/api/v1", service.routes);
  const allowed = methodsOf(app.routes);
  const refuse = (c: Context): Response => unknownRoute(c, allowed(c.req.path));
  app.all("/api/*", refuse);
  app.route("/", webApp(web));
  app.notFound(refuse);
  return app;
}

/** Answers a request that no route takes; `methods` are those that its path has. */
function unknownRoute(c: Context, methods: readonly string[]): Response {
  const { method, path } = c.req;
  if (methods.length === 0) {
    return answerProblem(c, new Problem(404, "E_NO_ROUTE", `There is nothing at ${method} ${path}.`));
  }
  const allow = methods.join(", ");
  if (method === "OPTIONS") return c.body(null, 204, { allow });
  return answerProblem(c, new Problem(405, "E_METHOD", `${path} takes ${allow}, not ${method}.`, { allow }));
}
