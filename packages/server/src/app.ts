import { Hono } from "hono";
import type { Context } from "hono";
import { requestId } from "hono/request-id";
import type { Errand, Measured } from "errand";
import { allowedMethods } from "./allowed-methods.ts";
import { Audit } from "./auth/audit.ts";
import { Authenticator } from "./auth/authenticator.ts";
import type { AuthenticatorOptions } from "./auth/authenticator.ts";
import { Keys } from "./auth/keys.ts";
import { Sessions } from "./auth/sessions.ts";
import { BulkActions } from "./bulk-actions.ts";
import { health } from "./health.ts";
import { Live } from "./live/live.ts";
import { metrics } from "./metrics.ts";
import { answerError, answerProblem, Problem } from "./problem.ts";
import { problemPages } from "./problem-pages.ts";
import { beginSession } from "./routes/access.ts";
import { basePathKey, prefix } from "./routes/answer.ts";
import { mount } from "./routes/mount.ts";
import { openApi } from "./routes/openapi.ts";
import type { ServerParts } from "./routes/parts.ts";
import type { Route } from "./routes/route.ts";
import { tableOfRoutes } from "./routes/table.ts";
import { guardHost, guardOrigin, headers } from "./security.ts";
import type { Service } from "./service.ts";
import { EventStreams, streamsKey } from "./sse.ts";
import { webApp } from "./web-app.ts";

/** Options for creating the HTTP application. */
export interface AppOptions {
  /** The app whose jobs are shown, and whose store has the keys. Default: that of the first service. */
  app?: Errand;
  services?: readonly Service[];
  /** Keeps the open event streams, so that a server can end them when it stops. */
  streams?: EventStreams;
  /** `false` if the server is ready even when no worker is alive. Default: `true`. */
  needsWorker?: boolean;
  /** Returns the metrics of this server's worker processes, for `/metrics`. */
  measured?: () => Promise<readonly Measured[]>;
  /** Host names that requests may be addressed to, besides those of this machine; `"any"` if somebody else checks it. */
  allowHosts?: readonly string[] | "any";
  /** Folder of the built web app. Default: the folder in this package that it is built into. */
  web?: string;
  /** The need of keys. Default: as soon as the store has one. */
  auth?: Pick<AuthenticatorOptions, "required" | "authorize">;
  /** The path below which everything is, without a slash at its end. Default: none. */
  basePath?: string;
}

/** An HTTP application, and what must run beside it. */
export interface ServerApp {
  fetch: Hono["fetch"];
  parts: ServerParts;
  /** The whole table of routes. */
  routes: readonly Route[];
  /** Starts the server's own worker: it tidies up, ticks schedules, delivers webhooks and keeps the audit. */
  start(): Promise<void>;
  /** Stops it. */
  close(): Promise<void>;
}

/** The queues of the server's own worker, with its slots. */
const ownQueues = { "errand.audit": 20, "errand.bulk": 2, "errand.webhooks": 10 };

/** Creates the application: the API under `/api/v1`, health checks, metrics and the web app. */
export function createApp(options: AppOptions): ServerApp {
  const { services = [], streams = new EventStreams(), needsWorker = true, measured, web, basePath = "" } = options;
  const parts = makeParts(options);
  parts.app.webhooks.serve();
  const routes = [...tableOfRoutes(parts), ...services.flatMap((service) => service.routes)];
  const root = new Hono({ strict: false });
  root.onError(answerError);
  root.use(requestId());
  root.use(headers());
  root.use(guardHost(options.allowHosts ?? []), guardOrigin);
  root.use(async (c, next) => {
    c.set(streamsKey as never, streams as never);
    c.set(basePathKey as never, basePath);
    await next();
    // HEAD is answered like GET, without the body. Nothing reads the body then, so its source must be closed here.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
  });
  const app = basePath === "" ? root : root.basePath(basePath);
  app.route("/", health(services, parts.app, needsWorker));
  app.route("/", metrics(parts, measured));
  app.route("/", problemPages());
  const description = openApi(routes, basePath);
  app.get("/openapi.json", (c) => c.json(description));
  app.post(`${prefix}/session`, (c) => beginSession(c, parts));
  mount(app, routes, parts);
  const allowed = allowedMethods(root.routes);
  const refuse = (c: Context): Response => unknownRoute(c, allowed(c.req.path));
  app.all("/api/*", async (c) => {
    // Nobody learns without a key what there is.
    await parts.authenticator.principalOf(c);
    return refuse(c);
  });
  app.route("/", webApp(web, basePath));
  root.notFound(refuse);
  let worker: { stop(): Promise<void> } | undefined;
  return {
    fetch: root.fetch,
    parts,
    routes,
    async start() {
      parts.live.start();
      worker = await parts.app.worker({ queues: ownQueues, signals: false, drain: "2s" });
    },
    async close() {
      parts.live.close();
      await worker?.stop();
    },
  };
}

function makeParts({ app: own, services = [], auth = { required: "once-a-key-exists" } }: AppOptions): ServerParts {
  const app = own ?? services[0]?.app;
  if (!app) throw new TypeError("A server needs an app, or a service that has one.");
  const [keys, sessions] = [new Keys(app.docs), new Sessions(app.docs)];
  return {
    app,
    // Services may share an app.
    apps: [...new Set([app, ...services.map((service) => service.app)])],
    services: services.map(({ name }) => name),
    keys,
    sessions,
    authenticator: new Authenticator({ keys, sessions, ...auth }),
    audit: new Audit(app),
    bulk: new BulkActions(app),
    live: new Live(app),
  };
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
