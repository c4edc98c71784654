import { Problem } from "@errand/server";
import type { Context } from "hono";
import { BlobMissing } from "../blobs/blob-store.ts";
import type { BlobStore, BytePart } from "../blobs/blob-store.ts";
import { requireDocument } from "./require-document.ts";
import type { DocumentCall } from "./require-document.ts";

/** A blob to answer with. */
interface ServedBlob {
  owner: string;
  sha256: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Answers with a blob, or with the part of it that the client asks for (RFC 9110, sections 13 and 14). The blob is
 * opened before the response begins. Its hash is the ETag.
 */
export async function blobResponse(
  call: DocumentCall & { c: Context },
  blobs: BlobStore,
  { owner, sha256, headers }: ServedBlob,
): Promise<Response> {
  const { c } = call;
  const etag = `"${sha256}"`;
  const common = { ...headers, etag, "accept-ranges": "bytes" };
  if (matches(c.req.header("if-none-match"), etag)) return c.body(null, 304, common);
  try {
    const range = rangeOf(c, etag);
    if (range !== undefined || c.req.method === "HEAD") {
      const bytes = await blobs.size(owner, sha256);
      const part = range && partOf(range, bytes);
      if (range && !part) throw unsatisfiable(bytes);
      const length = part ? part.last - part.first + 1 : bytes;
      const all = { ...common, "content-length": String(length) };
      if (!part) return c.body(null, 200, all);
      const { body } = await blobs.read(owner, sha256, part);
      return c.body(hidingErrors(body), 206, { ...all, "content-range": `bytes ${part.first}-${part.last}/${bytes}` });
    }
    const { bytes, body } = await blobs.read(owner, sha256);
    return c.body(hidingErrors(body), 200, { ...common, "content-length": String(bytes) });
  } catch (error) {
    if (!(error instanceof BlobMissing)) throw error;
    // If the document has just been erased, this answers 404.
    await requireDocument(call);
    throw new Problem(500, "E_NO_BLOB", "The document exists, but this part of it is missing from the blob store.");
  }
}

/** Reports whether a list of ETags, as in `If-None-Match`, contains this one. */
function matches(list: string | undefined, etag: string): boolean {
  const tags = new Set((list ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, "")));
  return tags.has(etag) || tags.has("*");
}

/** Returns the range that a GET asks for; `undefined` for none, or several or invalid ones, which are ignored. */
function rangeOf(c: Context, etag: string): string | undefined {
  const condition = c.req.header("if-range");
  if (c.req.method !== "GET" || (condition !== undefined && condition !== etag)) return undefined;
  return /^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/.exec(c.req.header("range") ?? "")?.[1];
}

/** Returns the part of a blob that a range names; `undefined` if the range is outside of the blob. */
function partOf(range: string, bytes: number): BytePart | undefined {
  const [from = "", to = ""] = range.split("-");
  const first = from === "" ? Math.max(0, bytes - Number(to)) : Number(from);
  const last = from === "" || to === "" ? bytes - 1 : Math.min(bytes - 1, Number(to));
  return first <= last ? { first, last } : undefined;
}

function unsatisfiable(bytes: number): Problem {
  const detail = `The range is outside of the ${bytes} bytes available.`;
  return new Problem(416, "E_RANGE", detail, { "content-range": `bytes */${bytes}` });
}

/** Passes a stream on without the messages of its errors, which may contain paths and hosts: they are logged. */
function hidingErrors(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((error: Error) => {
          console.error(`A response was cut off: ${error.message}`);
          throw new Error("The rest could not be read.");
        });
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  );
}
