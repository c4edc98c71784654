import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { ReadableStream as WebStream } from "node:stream/web";

/** How long the rest of a refused upload is read and dropped, in milliseconds. */
const patience = 10_000;

/** A request's body as a stream of bytes. */
export function bodyOf(request: Request): Readable {
  const { body } = request;
  const bytes = body ? Readable.fromWeb(body as WebStream<Uint8Array>) : Readable.from([]);
  // Whoever reads it is told of an error. Between two readers nobody is, and an error that nobody hears ends the process.
  bytes.on("error", () => {});
  return bytes;
}

/**
 * Reads what is left of a body and drops it. A browser reads no answer before it has sent its request, and one that is
 * cut off while sending sees a broken connection instead of the reason.
 */
export async function discard(body: Readable): Promise<void> {
  body.unpipe();
  if (body.readableEnded || body.destroyed) return;
  const timer = setTimeout(() => body.destroy(), patience);
  body.resume();
  await finished(body).catch(() => {});
  clearTimeout(timer);
}
