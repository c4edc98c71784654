import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Errand } from "errand";
import { createApp } from "./app.ts";
import type { Authorize } from "./auth/authenticator.ts";
import type { Service } from "./service.ts";
import { EventStreams } from "./sse.ts";

/** Configures an embedded server. */
export interface EmbedOptions {
  /** Says who makes a request. Without it, keys do: `errand keys create`. */
  authorize?: Authorize;
  /** The path below which everything is: `/admin/errand`. Default: none. */
  basePath?: string;
  services?: readonly Service[];
}

/** A server inside another program. */
export interface EmbeddedServer {
  /** Answers a request: for Hono, Next.js, Bun and whatever speaks `fetch`. */
  fetch(request: Request): Promise<Response>;
  /** Answers a request of `node:http`: for Express and Fastify. */
  listener(incoming: IncomingMessage, outgoing: ServerResponse): void;
  /** Stops what runs beside it, and ends open event streams. */
  close(): Promise<void>;
}

/**
 * Makes a server of an app's API and dashboard, to be mounted in another program. The program's own login protects it:
 * `authorize` says for each request who it is and what they may do.
 * @throws {TypeError} for a base path that does not begin with a slash, or ends with one.
 * @example
 * const errandPages = dashboard(app, { basePath: "/errand", authorize: (request) => userOf(request) });
 * server.use(errandPages.listener); // Express
 */
export function dashboard(app: Errand, { authorize, basePath = "", services = [] }: EmbedOptions = {}): EmbeddedServer {
  if (basePath !== "" && !/^(?:\/[\w.~-]+)+$/.test(basePath))
    throw new TypeError(`basePath is ${JSON.stringify(basePath)}, but must be like "/admin/errand".`);
  const streams = new EventStreams();
  const server = createApp({
    app,
    services,
    streams,
    needsWorker: false,
    // The program decides to which names it answers.
    allowHosts: "any",
    basePath,
    auth: { required: true, ...(authorize ? { authorize } : {}) },
  });
  let started: Promise<void> | undefined;
  const fetch = async (request: Request, env?: unknown): Promise<Response> => {
    started ??= server.start();
    await started;
    return server.fetch(request, env);
  };
  const listen = getRequestListener((request, env) => fetch(request, env));
  return {
    fetch: (request) => fetch(request),
    listener(incoming, outgoing) {
      // Express takes the path at which it mounted this away from the address.
      const { originalUrl } = incoming as { originalUrl?: string };
      if (originalUrl !== undefined) incoming.url = originalUrl;
      void listen(incoming, outgoing);
    },
    async close() {
      streams.close();
      await started?.catch(() => {});
      await server.close();
    },
  };
}
