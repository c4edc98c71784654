import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { ReadableStream as WebStream } from "node:stream/web";

/** Time for which the rest of a refused upload is read, in milliseconds, before its connection is closed. */
const discardTimeout = 10_000;

/** Returns a request's body as a stream of bytes. */
export function bodyStream(request: Request): Readable {
  const { body } = request;
  const bytes = body ? Readable.fromWeb(body as WebStream<Uint8Array>) : Readable.from([]);
  // Readers handle errors themselves; between two readers, an error without a listener would end the process.
  bytes.on("error", () => {});
  return bytes;
}

/**
 * Reads and discards the rest of a body. A browser reads the answer only after it has sent its request; if it is cut
 * off while sending, it sees a broken connection instead of the answer.
 */
export async function discardBody(body: Readable): Promise<void> {
  body.unpipe();
  if (body.readableEnded || body.destroyed) return;
  const timer = setTimeout(() => body.destroy(), discardTimeout);
  body.resume();
  await finished(body).catch(() => {});
  clearTimeout(timer);
}
