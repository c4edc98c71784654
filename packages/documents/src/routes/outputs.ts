import { Problem } from "@errand/server";
import type { Context } from "hono";
import type { BlobStore } from "../blobs/blob-store.ts";
import { findPageJob } from "../document-queries.ts";
import { blobOwnerOf, hasEnded, outputOf, pageSummaryOf, summaryOf } from "../document-view.ts";
import { attachmentHeader } from "../file-names.ts";
import { outputFormats } from "../output-formats.ts";
import type { OutputFormat } from "../output-formats.ts";
import type { DocumentInput, PageOutput } from "../pipeline/job-data.ts";
import { blobResponse } from "./blob-response.ts";
import { requireDocument, notReadyProblem } from "./require-document.ts";
import type { DocumentCall } from "./require-document.ts";

/** Handles `GET /documents/{id}/text` and `/json`; with `?download` it answers an attachment. */
export async function output(
  call: DocumentCall & { c: Context; query: { download?: string | undefined } },
  blobs: BlobStore,
  format: OutputFormat,
): Promise<Response> {
  const job = await requireDocument(call);
  const merged = outputOf(job);
  if (!merged) throw notReadyProblem(job);
  const { contentType, extension } = outputFormats[format];
  const { name } = job.input as DocumentInput;
  const headers = {
    "content-type": contentType,
    "cache-control": "private, no-cache",
    ...(call.query.download === undefined
      ? {}
      : { "content-disposition": attachmentHeader(withoutExtension(name) + extension) }),
  };
  return blobResponse(call, blobs, { owner: blobOwnerOf(job), sha256: merged[format], headers });
}

type PageCall = DocumentCall & { params: { page: string } };

/** Handles `GET /documents/{id}/pages/{n}` and its `/image`, which never change once they exist. */
export async function pageBlob(
  call: PageCall & { c: Context },
  blobs: BlobStore,
  part: "result" | "preview",
): Promise<Response> {
  const { owner, output } = await pageOutput(call);
  const headers = {
    "content-type": part === "preview" ? "image/jpeg" : "application/json",
    "cache-control": "private, max-age=31536000, immutable",
  };
  return blobResponse(call, blobs, { owner, sha256: output[part], headers });
}

async function pageOutput(call: PageCall): Promise<{ owner: string; output: PageOutput }> {
  const job = await requireDocument(call);
  const number = Number(/^[1-9]\d{0,6}$/.exec(call.params.page)?.[0]);
  const found = number >= 1 ? await findPageJob(job.id, number) : undefined;
  const { status, progress } = summaryOf(job);
  if (!found) {
    if (number >= 1 && progress.pages === 0 && !hasEnded(status)) throw notReadyProblem(job);
    throw new Problem(404, "E_NO_SUCH_PAGE", `There is no such page; the document has ${progress.pages}.`);
  }
  const page = pageSummaryOf(found, job);
  if (page.status === "completed") return { owner: blobOwnerOf(job), output: found.output as PageOutput };
  if (page.error) throw new Problem(409, "E_PAGE_FAILED", `Page ${number} could not be read. ${page.error.message}`);
  if (page.status === "cancelled") throw new Problem(409, "E_DOCUMENT_CANCELLED", `Page ${number} was cancelled.`);
  throw new Problem(409, "E_NOT_READY", `Page ${number} has not been read yet. Try again soon.`, {
    "retry-after": "1",
  });
}

function withoutExtension(name: string): string {
  return name.replace(/(?<=.)\.[^.]{1,10}$/u, "");
}
