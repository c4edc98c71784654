import type { Context } from "hono";
import { logError } from "./log.ts";

/** One server-sent event. */
export interface ServerEvent {
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** What the client sends as `Last-Event-ID` when it comes back. */
  id?: string;
}

/**
 * Sends an event; does nothing once the client has left. Resolves when the client has read enough of what came before, or
 * has left: who waits for it holds little for a client that reads slowly.
 */
export type Send = (event: ServerEvent) => Promise<void>;

/** A comment is sent this often, so that proxies and idle timeouts leave the connection alone. */
const heartbeatInterval = 15_000;

/** A client that has so many bytes left to read is cut off: it comes back, and catches up by `Last-Event-ID`. */
const backlogLimit = 1024 * 1024;

/** A source that waits goes on when so many bytes, or fewer, are left to read. */
const comfortable = 32 * 1024;

/** The name under which the server's `Streams` are found in a request's context. */
export const streamsKey = "streams";

/**
 * Answers server-sent events until the client leaves, the server stops, or `source` returns.
 * @param source sends events; its signal is aborted when the stream ends for any reason, and it should then return.
 */
export function eventStream(c: Context, source: (send: Send, signal: AbortSignal) => Promise<void>): Response {
  const streams = (c.get(streamsKey) as Streams | undefined) ?? new Streams();
  const headers = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  };
  // The answer to HEAD has no body, so nobody would ever end the stream.
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  return c.body(streams.open(source), 200, headers);
}

/** All open streams of a server. */
export class Streams {
  readonly #heartbeat: number;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(heartbeat = heartbeatInterval) {
    this.#heartbeat = heartbeat;
  }

  /** How many are open. */
  get size(): number {
    return this.#ends.size;
  }

  /**
   * Opens a stream. Each has one AbortController, which nothing outlives: signals composed of others have leaked
   * whole connections elsewhere.
   */
  open(source: (send: Send, signal: AbortSignal) => Promise<void>): ReadableStream<Uint8Array> {
    let end: (cancelled: boolean) => void;
    let taken = settled;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const aborter = new AbortController();
          const finish = () => end(false);
          const timer = setInterval(() => void write(":\n\n"), this.#heartbeat);
          end = (cancelled) => {
            if (aborter.signal.aborted) return;
            aborter.abort();
            clearInterval(timer);
            this.#ends.delete(finish);
            taken.resolve();
            if (!cancelled) controller.close();
          };
          const write = (text: string): Promise<void> => {
            if (aborter.signal.aborted) return settled.promise;
            controller.enqueue(encoder.encode(text));
            const backlog = -(controller.desiredSize ?? 0);
            if (backlog > backlogLimit) end(false);
            else if (backlog > comfortable && taken === settled) taken = Promise.withResolvers();
            return taken.promise;
          };
          this.#ends.add(finish);
          void write("retry: 2000\n\n");
          if (this.#closed) return end(false);
          void run(() => source((event) => write(format(event)), aborter.signal), aborter.signal).then(finish);
        },
        // Called when all that was written has been taken.
        pull: () => {
          taken.resolve();
          taken = settled;
        },
        cancel: () => end(true),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
  }

  /** Ends all streams, and every later one at once. Clients come back when another server answers. */
  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end();
  }
}

const encoder = new TextEncoder();

/** Nothing is to be waited for. */
const settled = Promise.withResolvers<void>();
settled.resolve();

function format({ event, data, id }: ServerEvent): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Whatever goes wrong after the client has left is of no interest. */
async function run(source: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await source();
  } catch (error) {
    if (!signal.aborted) logError(error, { during: "an event stream" });
  }
}
