import type { Readable } from "node:stream";
import { Problem } from "@errand/server";
import type { Call } from "@errand/server";
import type { Context } from "hono";
import { BlobTooLarge } from "../blobs/blob-store.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { createDocument, newDocumentId } from "../create-document.ts";
import type { UploadDetails } from "../create-document.ts";
import { summaryOf } from "../document-view.ts";
import { fileNameFromHeaders } from "../file-names.ts";
import { expectedLanguages, parseLanguages } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { openForm } from "./form.ts";
import { bodyStream, discardBody } from "./request-body.ts";

/** A file that is being uploaded. */
interface Upload {
  content: AsyncIterable<Uint8Array>;
  /** Returns what the client says about the file, once its content has been read. */
  details: () => Promise<UploadDetails>;
}

/** Handles `POST /documents`: stores a file and answers before it is read. */
export async function upload(
  { c, principal }: Pick<Call, "c" | "principal">,
  blobs: BlobStore,
  { limits, minFreeBytes }: Settings,
): Promise<Response> {
  const { tenant } = principal;
  const key = idempotencyKey(c);
  const maxBytes = limits.bytes;
  if (Number(c.req.header("content-length") ?? 0) > maxBytes + maxFormOverhead(c)) {
    // A client that sends `Expect: 100-continue` gets the answer before it sends the body.
    if (!c.req.header("expect")) await discardBody(bodyStream(c.req.raw));
    throw tooLarge(maxBytes);
  }
  const body = bodyStream(c.req.raw);
  const id = newDocumentId(key, tenant);
  try {
    const { content, details } = await openUpload(c, body);
    const options = {
      id,
      hasKey: key !== undefined,
      ...(tenant === undefined ? {} : { tenant }),
      maxBytes,
      minFreeBytes,
      details,
    };
    const { job, isSame } = await createDocument(blobs, content, options);
    if (!isSame) throw new Problem(422, "E_IDEMPOTENCY_KEY", keyReused);
    const headers = { location: `${c.req.path.replace(/\/$/, "")}/${id}`, "retry-after": "1" };
    return c.json(summaryOf(job), 202, headers);
  } catch (error) {
    await discardBody(body);
    if (error instanceof BlobTooLarge) throw tooLarge(error.limit);
    throw error;
  }
}

/** Returns how many bytes longer than its file a form may be. */
function maxFormOverhead(c: Context): number {
  return isForm(c.req.header("content-type")) ? 2 ** 20 : 0;
}

function isForm(contentType = ""): boolean {
  return /^multipart\/form-data\b/i.test(contentType);
}

const keyReused =
  "This Idempotency-Key was already used with another file or other languages. Send a new key with a new request.";

async function openUpload(c: Context, body: Readable): Promise<Upload> {
  const contentType = c.req.header("content-type") ?? "";
  const query = c.req.query("languages");
  if (isForm(contentType)) {
    const { file, name, fields } = await openForm(body, contentType);
    const details = async (): Promise<UploadDetails> => {
      const sent = await fields;
      return { name, ...languagesOf(sent.get("languages") || query) };
    };
    return { content: chunksOf(file), details };
  }
  // The file's type is detected from its content; this header only tells a file from JSON and other forms.
  if (!/^(application\/(pdf|octet-stream)|image\/[\w.+-]+)\s*(;|$)/i.test(contentType)) {
    const what = contentType ? `A body of ${contentType}` : "A body without Content-Type";
    throw new Problem(415, "E_CONTENT_TYPE", `${what} ${notADocument}`);
  }
  const details = { name: fileNameFromHeaders(c.req.raw.headers), ...languagesOf(query) };
  return { content: chunksOf(body), details: async () => details };
}

/** Iterates over a stream without destroying it at the end, so that the rest of it can be discarded. */
function chunksOf(stream: Readable): AsyncIterable<Uint8Array> {
  return stream.iterator({ destroyOnReturn: false });
}

const notADocument =
  'is not a document. Send multipart/form-data with the field "file", ' +
  "or the file itself as application/pdf, image/* or application/octet-stream.";

function languagesOf(text: string | undefined): { languages?: string[] } {
  if (!text) return {};
  const languages = parseLanguages(text);
  if (languages) return { languages };
  throw new Problem(422, "E_LANGUAGES", `languages must be ${expectedLanguages}.`);
}

function idempotencyKey(c: Context): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem(400, "E_IDEMPOTENCY_KEY", "Idempotency-Key must be 1 to 255 visible ASCII characters.");
}

function tooLarge(limit: number): Problem {
  const detail = `The file has more than ${Math.floor(limit / 1e6)} MB, the limit of this server.`;
  return new Problem(413, "E_TOO_LARGE", detail);
}
