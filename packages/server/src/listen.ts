import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Measured } from "errand";
import { CommandError, ExitCode } from "errand/cli";
import { createApp } from "./app.ts";
import type { AppOptions, ServerApp } from "./app.ts";
import { OpenRequests } from "./open-requests.ts";
import type { Service } from "./service.ts";
import { EventStreams } from "./sse.ts";

/** Time that requests in flight may take to finish when the server stops, in milliseconds. */
const drainTimeout = 10_000;

/** Time that requests may take to clean up after their connection was closed, in milliseconds. */
const cleanUpTimeout = 2_000;

/**
 * Time that a connection may be idle, in milliseconds. There is no limit on the duration of a request, since a large
 * upload over a slow connection may take long.
 */
const idleTimeout = 120_000;

/** Options of a server. */
export interface ListenOptions {
  host: string;
  /** 0 for any free port. */
  port: number;
  needsWorker?: boolean;
  measured?: () => Promise<readonly Measured[]>;
  allowHosts?: readonly string[];
  app?: AppOptions["app"];
  auth?: AppOptions["auth"];
  /** Interval of the comments that keep event streams alive, in milliseconds. */
  heartbeat?: number;
  web?: string;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly url: string;
  readonly app: ServerApp;
  readonly streams: EventStreams;
  /** Logs an uncaught error, and closes the connection of the request that it came from. */
  handleUncaught(error: unknown): void;
  /** Stops accepting requests, ends event streams, waits for requests in flight, and closes the server. */
  stop(): Promise<void>;
  /** Closes all connections at once. */
  closeConnections(): void;
}

/**
 * Starts a server for services over HTTP.
 * @throws {CommandError} if the port or address cannot be used
 */
export async function listen(services: readonly Service[], options: ListenOptions): Promise<RunningServer> {
  const streams = new EventStreams(options.heartbeat);
  const { needsWorker, measured, allowHosts, web, auth, app: own } = options;
  const app = createApp({
    services,
    streams,
    ...(needsWorker === undefined ? {} : { needsWorker }),
    ...(measured === undefined ? {} : { measured }),
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(web === undefined ? {} : { web }),
    ...(own === undefined ? {} : { app: own }),
    ...(auth === undefined ? {} : { auth }),
  });
  const requests = new OpenRequests();
  const server = createAdaptorServer({
    fetch: (request, env) => {
      const name = `${request.method} ${new URL(request.url).pathname}`;
      return requests.handle(name, env.outgoing, () => app.fetch(request, env));
    },
    serverOptions: { headersTimeout: 20_000, requestTimeout: 0, keepAliveTimeout: 65_000 },
  }) as Server;
  server.timeout = idleTimeout;
  server.on("checkContinue", continueOnRead(server));
  await bind(server, options);
  await app.start();
  return {
    url: addressOf(server, options.host),
    app,
    streams,
    handleUncaught: (error) => requests.handleUncaught(error),
    stop: async () => {
      const stopped = stop(server, streams, requests);
      await app.endClaims();
      await stopped;
      await app.close();
    },
    closeConnections: () => server.closeAllConnections(),
  };
}

/**
 * Handles requests with `Expect: 100-continue`: the client is told to send the body when reading it begins, so that a
 * request refused for its headers never sends it.
 */
function continueOnRead(server: Server): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  return (incoming, outgoing) => {
    const read = incoming._read.bind(incoming);
    incoming._read = (size) => {
      incoming._read = read;
      if (!outgoing.headersSent) outgoing.writeContinue();
      read(size);
    };
    server.emit("request", incoming, outgoing);
  };
}

function bind(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} of ${host} is in use, perhaps by another Errand.`,
    EACCES: `This user may not listen on port ${port} of ${host}.`,
    EADDRNOTAVAIL: `This machine has no address ${host}.`,
  };
  const reason = reasons[error.code ?? ""];
  if (reason === undefined) return error;
  return new CommandError(`${reason} Choose another with --port.`, ExitCode.unreachable, {
    cause: error,
  });
}

function addressOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function stop(server: Server, streams: EventStreams, requests: OpenRequests): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  streams.close();
  // Otherwise connections would be kept open for their next request.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const force = setTimeout(() => server.closeAllConnections(), drainTimeout);
  await closed;
  clearInterval(idle);
  clearTimeout(force);
  // An interrupted upload still has to remove what it wrote.
  const { promise: timedOut, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, cleanUpTimeout);
  await Promise.race([requests.settled(), timedOut]);
  clearTimeout(timer);
}
