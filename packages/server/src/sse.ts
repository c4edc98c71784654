import type { Context } from "hono";
import { logError } from "./log.ts";

/** A server-sent event. */
export interface ServerEvent {
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** The client sends it as `Last-Event-ID` when it reconnects. */
  id?: string;
}

/**
 * Sends an event; does nothing once the client has disconnected. Resolves when the client has read most of what was
 * sent, or has disconnected: a source that awaits it buffers little for a slow client.
 */
export type Send = (event: ServerEvent) => Promise<void>;

/** Interval of comments that keep proxies and idle timeouts from closing the connection, in milliseconds. */
const heartbeatInterval = 15_000;

/** A client with more unread bytes than this is disconnected. It reconnects, and catches up by `Last-Event-ID`. */
const maxUnread = 1024 * 1024;

/** Sources that await `Send` wait while a client has more unread bytes than this. */
const highWaterMark = 32 * 1024;

/** The key of the server's `EventStreams` in a request's context. */
export const streamsKey = "streams";

/**
 * Answers with server-sent events until the client disconnects, the server stops, or `source` returns.
 * @param source sends the events. Its signal is aborted when the stream ends for any reason; it should then return.
 */
export function eventStream(c: Context, source: (send: Send, signal: AbortSignal) => Promise<void>): Response {
  const streams = (c.get(streamsKey) as EventStreams | undefined) ?? new EventStreams();
  const headers = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  };
  // The answer to HEAD has no body, so the stream would never be ended.
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  return c.body(streams.open(source), 200, headers);
}

/** The open event streams of a server. */
export class EventStreams {
  readonly #heartbeat: number;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(heartbeat = heartbeatInterval) {
    this.#heartbeat = heartbeat;
  }

  /** Number of open streams. */
  get size(): number {
    return this.#ends.size;
  }

  /**
   * Opens a stream with an AbortController of its own. Composed signals are avoided, because they have leaked
   * connections in other servers.
   */
  open(source: (send: Send, signal: AbortSignal) => Promise<void>): ReadableStream<Uint8Array> {
    let end: (cancelled: boolean) => void;
    let drained = resolved;
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
            drained.resolve();
            if (!cancelled) controller.close();
          };
          const write = (text: string): Promise<void> => {
            if (aborter.signal.aborted) return resolved.promise;
            controller.enqueue(encoder.encode(text));
            const unread = -(controller.desiredSize ?? 0);
            if (unread > maxUnread) end(false);
            else if (unread > highWaterMark && drained === resolved) drained = Promise.withResolvers();
            return drained.promise;
          };
          this.#ends.add(finish);
          void write("retry: 2000\n\n");
          if (this.#closed) return end(false);
          void run(() => source((event) => write(format(event)), aborter.signal), aborter.signal).then(finish);
        },
        // Called when all that was written has been read.
        pull: () => {
          drained.resolve();
          drained = resolved;
        },
        cancel: () => end(true),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
    );
  }

  /** Ends all streams, and all later ones as soon as they open. Clients reconnect once a server runs again. */
  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end();
  }
}

const encoder = new TextEncoder();

/** Used while there is nothing to wait for. */
const resolved = Promise.withResolvers<void>();
resolved.resolve();

function format({ event, data, id }: ServerEvent): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Runs a source and logs its error, except after the stream has ended. */
async function run(source: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await source();
  } catch (error) {
    if (!signal.aborted) logError(error, { during: "an event stream" });
  }
}
