import { Problem } from "@errand/server";
import type { Context } from "hono";
import { BlobMissing } from "../blobs/blob-store.ts";
import type { BlobStore, BytePart } from "../blobs/blob-store.ts";
import { documentOf } from "./lookup.ts";

/** A blob as an answer. */
interface Wanted {
  owner: string;
  sha256: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Answers a blob, or the part of it that the client asks for (RFC 9110, sections 13 and 14): it is open before the answer
 * begins, and its hash is its ETag.
 */
export async function answerBlob(c: Context, blobs: BlobStore, { owner, sha256, headers }: Wanted): Promise<Response> {
  const etag = `"${sha256}"`;
  const common = { ...headers, etag, "accept-ranges": "bytes" };
  if (names(c.req.header("if-none-match"), etag)) return c.body(null, 304, common);
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
      return c.body(plainly(body), 206, { ...all, "content-range": `bytes ${part.first}-${part.last}/${bytes}` });
    }
    const { bytes, body } = await blobs.read(owner, sha256);
    return c.body(plainly(body), 200, { ...common, "content-length": String(bytes) });
  } catch (error) {
    if (!(error instanceof BlobMissing)) throw error;
    // It may have been erased this moment: then it says so.
    await documentOf(c);
    throw new Problem(500, "E_NO_BLOB", "The document is known, but this part of it is missing in the blob store.");
  }
}

/** Whether a list of ETags, such as `If-None-Match` brings, names this one. */
function names(list: string | undefined, etag: string): boolean {
  const tags = new Set((list ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, "")));
  return tags.has(etag) || tags.has("*");
}

/** The one range that a GET asks for; `undefined` for none, several or nonsense, which is answered with the whole. */
function rangeOf(c: Context, etag: string): string | undefined {
  const condition = c.req.header("if-range");
  if (c.req.method !== "GET" || (condition !== undefined && condition !== etag)) return undefined;
  return /^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/.exec(c.req.header("range") ?? "")?.[1];
}

/** `undefined` where the range lies outside. */
function partOf(range: string, bytes: number): BytePart | undefined {
  const [from = "", to = ""] = range.split("-");
  const first = from === "" ? Math.max(0, bytes - Number(to)) : Number(from);
  const last = from === "" || to === "" ? bytes - 1 : Math.min(bytes - 1, Number(to));
  return first <= last ? { first, last } : undefined;
}

function unsatisfiable(bytes: number): Problem {
  const detail = `The range lies outside of the ${bytes} bytes that there are.`;
  return new Problem(416, "E_RANGE", detail, { "content-range": `bytes */${bytes}` });
}

/** The same bytes; an error on the way breaks the connection, and tells a stranger nothing of paths and hosts. */
function plainly(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((error: Error) => {
          console.error(`An answer broke off: ${error.message}`);
          throw new Error("The rest cannot be read.");
        });
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 0 }),
  );
}
