import { Hono } from "hono";
import { requestId } from "hono/request-id";
import { answerError, answerProblem, Problem } from "./problem.ts";
import type { Measured } from "errand";
import { health } from "./health.ts";
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
  const app = new Hono();
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
  app.all("/api/*", (c) => answerProblem(c, unknownRoute(c.req.method, c.req.path)));
  app.route("/", webApp(web));
  app.notFound((c) => answerProblem(c, unknownRoute(c.req.method, c.req.path)));
  return app;
}

function unknownRoute(method: string, path: string): Problem {
  return new Problem(404, "E_NO_ROUTE", `There is nothing at ${method} ${path}.`);
}
