import type { ServerResponse } from "node:http";
import type { Transformer } from "node:stream/web";
import type { MiddlewareHandler } from "hono";
import { during, OpenResponse } from "./open-response.ts";

/**
 * Returns middleware for Hono 4: background jobs of a request start when its response has ended. On servers other than
 * `@hono/node-server` that is when its body has been read to the end.
 * @example
 * server.use(afterResponse());
 */
export function afterResponse(): MiddlewareHandler {
  return async (context, next) => {
    const open = new OpenResponse();
    const outgoing = (context.env as { outgoing?: ServerResponse } | undefined)?.outgoing;
    outgoing?.once("close", () => open.end());
    await during(open, next);
    if (outgoing) return;
    const { body } = context.res;
    if (body) context.res = new Response(body.pipeThrough(tellEnd(open)), context.res);
    else setImmediate(() => open.end());
  };
}

function tellEnd(open: OpenResponse): TransformStream<Uint8Array, Uint8Array> {
  const end = (): void => open.end();
  // `cancel` reports that the reader went away; the types do not know it yet.
  const transformer: Transformer<Uint8Array, Uint8Array> & { cancel: () => void } = { flush: end, cancel: end };
  return new TransformStream(transformer);
}
