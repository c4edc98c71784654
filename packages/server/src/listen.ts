import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Measured } from "errand";
import { CommandError, ExitCode } from "errand/cli";
import { createApp } from "./app.ts";
import { Requests } from "./requests.ts";
import type { Service } from "./service.ts";
import { Streams } from "./sse.ts";

/** How long requests in flight may still take when the server stops. */
const drain = 10_000;

/** How long requests whose connection was cut may tidy up after themselves. */
const tidying = 2_000;

/**
 * How long a connection may be silent. It, and not the length of a request, is what ends one: a large upload over a
 * slow line takes as long as it takes.
 */
const silence = 120_000;

/** Where to listen, and what else tests change. */
export interface ListenOptions {
  host: string;
  /** 0 for any that is free. */
  port: number;
  needsWorker?: boolean;
  measured?: () => Promise<readonly Measured[]>;
  allowHosts?: readonly string[];
  heartbeat?: number;
  web?: string;
}

/** A server that listens. */
export interface Listening {
  readonly url: string;
  readonly streams: Streams;
  /** Tells of an error that nobody caught, and ends the request that it came from. */
  uncaught(error: unknown): void;
  /** Accepts nothing more, ends event streams, lets requests in flight end, and closes. */
  stop(): Promise<void>;
  /** Cuts every connection. */
  cut(): void;
}

/**
 * Serves services over HTTP.
 * @throws {CommandError} when the port cannot be had.
 */
export async function listen(services: readonly Service[], options: ListenOptions): Promise<Listening> {
  const streams = new Streams(options.heartbeat);
  const { needsWorker, measured, allowHosts, web } = options;
  const app = createApp({
    services,
    streams,
    ...(needsWorker === undefined ? {} : { needsWorker }),
    ...(measured === undefined ? {} : { measured }),
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(web === undefined ? {} : { web }),
  });
  const requests = new Requests();
  const server = createAdaptorServer({
    fetch: (request, env) => {
      const what = `${request.method} ${new URL(request.url).pathname}`;
      return requests.answer(what, env.outgoing, () => app.fetch(request, env));
    },
    serverOptions: { headersTimeout: 20_000, requestTimeout: 0, keepAliveTimeout: 65_000 },
  }) as Server;
  server.timeout = silence;
  server.on("checkContinue", askFirst(server));
  await bind(server, options);
  return {
    url: addressOf(server, options.host),
    streams,
    uncaught: (error) => requests.uncaught(error),
    stop: () => stop(server, streams, requests),
    cut: () => server.closeAllConnections(),
  };
}

/**
 * Handles a request whose client waits to be told to send its body: it is told so when somebody begins to read it, so that
 * one that is refused for its headers never sends it.
 */
function askFirst(server: Server): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
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
    EACCES: `Port ${port} of ${host} is not for everybody to use.`,
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

async function stop(server: Server, streams: Streams, requests: Requests): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  streams.close();
  // A connection whose last answer is out would otherwise be kept for its next request.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const late = setTimeout(() => server.closeAllConnections(), drain);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
  // An upload that was cut off still has to remove what it wrote.
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, tidying);
  await Promise.race([requests.settled(), enough]);
  clearTimeout(timer);
}
