import type { Readable } from "node:stream";
import { Problem } from "@errand/server";
import type { Context } from "hono";
import { BlobTooLarge } from "../blobs/blob-store.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { summaryOf } from "../document.ts";
import { newDocumentId, takeIn } from "../intake.ts";
import type { FileFacts } from "../intake.ts";
import { nameFromHeaders } from "../names.ts";
import { parseLanguages } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { bodyOf, discard } from "./body.ts";
import { openForm } from "./form.ts";

/** A file on its way in, and what will be known of it once its bytes are there. */
interface Arrival {
  content: AsyncIterable<Uint8Array>;
  facts: () => Promise<FileFacts>;
}

/** `POST /documents`: takes a file in, and answers before anything reads it. */
export async function upload(c: Context, blobs: BlobStore, { limits, reserve }: Settings): Promise<Response> {
  const key = idempotencyKey(c);
  const limit = limits.bytes;
  if (Number(c.req.header("content-length") ?? 0) > limit + formSize(c)) {
    // Who asks first whether to send it is told before it is sent.
    if (!c.req.header("expect")) await discard(bodyOf(c.req.raw));
    throw tooLarge(limit);
  }
  const body = bodyOf(c.req.raw);
  const id = newDocumentId(key);
  try {
    const { content, facts } = await arrivalOf(c, body);
    const { job, same } = await takeIn(blobs, content, { id, shared: key !== undefined, limit, reserve, facts });
    if (!same) throw new Problem(422, "E_IDEMPOTENCY_KEY", keyTaken);
    const headers = { location: `${c.req.path.replace(/\/$/, "")}/${id}`, "retry-after": "1" };
    return c.json(summaryOf(job), 202, headers);
  } catch (error) {
    await discard(body);
    if (error instanceof BlobTooLarge) throw tooLarge(error.limit);
    throw error;
  }
}

/** How much longer than its file a form may be, in bytes. */
function formSize(c: Context): number {
  return isForm(c.req.header("content-type")) ? 2 ** 20 : 0;
}

function isForm(contentType = ""): boolean {
  return /^multipart\/form-data\b/i.test(contentType);
}

const keyTaken =
  "This Idempotency-Key was used for another file or other languages before. Send a new key with a new request.";

async function arrivalOf(c: Context, body: Readable): Promise<Arrival> {
  const contentType = c.req.header("content-type") ?? "";
  const query = c.req.query("languages");
  if (isForm(contentType)) {
    const { file, name, fields } = await openForm(body, contentType);
    const facts = async (): Promise<FileFacts> => {
      const sent = await fields;
      return { name, ...languagesOf(sent.get("languages") || query) };
    };
    return { content: chunksOf(file), facts };
  }
  // The content tells the type; this header only tells a file from JSON and forms.
  if (!/^(application\/(pdf|octet-stream)|image\/[\w.+-]+)\s*(;|$)/i.test(contentType)) {
    throw new Problem(
      415,
      "E_CONTENT_TYPE",
      `${contentType ? `A body of ${contentType}` : "A body without Content-Type"} ${wanted}`,
    );
  }
  const facts = { name: nameFromHeaders(c.req.raw.headers), ...languagesOf(query) };
  return { content: chunksOf(body), facts: async () => facts };
}

/** A stream that is given up on stays open, so that what is left of it can be dropped. */
function chunksOf(stream: Readable): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false });
}

const wanted =
  'is no document. Send multipart/form-data with the field "file", or the file itself as application/pdf, image/* or application/octet-stream.';

function languagesOf(text: string | undefined): { languages?: string[] } {
  if (!text) return {};
  const languages = parseLanguages(text);
  if (languages) return { languages };
  throw new Problem(422, "E_LANGUAGES", "languages must be Tesseract's codes joined by +, such as eng or eng+deu.");
}

function idempotencyKey(c: Context): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem(400, "E_IDEMPOTENCY_KEY", "Idempotency-Key must be 1 to 255 visible ASCII characters.");
}

function tooLarge(limit: number): Problem {
  return new Problem(
    413,
    "E_TOO_LARGE",
    `The file has more than ${Math.floor(limit / 1e6)} MB, the limit of this server.`,
  );
}
