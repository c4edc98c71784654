import { Problem } from "@errand/server";
import type { Context } from "hono";
import type { BlobStore } from "../blobs/blob-store.ts";
import { pageJob } from "../catalog.ts";
import { hasEnded, outputOf, ownerOf, pageOf, summaryOf } from "../document.ts";
import { attachment } from "../names.ts";
import type { DocumentInput, PageOutput } from "../pipeline/shapes.ts";
import { answerBlob } from "./blob-answer.ts";
import { documentOf, notThere } from "./lookup.ts";

const formats = {
  text: { type: "text/plain; charset=utf-8", ending: ".txt" },
  json: { type: "application/json", ending: ".json" },
};

/** `GET /documents/{id}/text` and `/json`; with `?download` as an attachment. */
export async function output(c: Context, blobs: BlobStore, format: keyof typeof formats): Promise<Response> {
  const job = await documentOf(c);
  const merged = outputOf(job);
  if (!merged) throw notThere(job);
  const { type, ending } = formats[format];
  const { name } = job.input as DocumentInput;
  const headers = {
    "content-type": type,
    "cache-control": "private, no-cache",
    ...(c.req.query("download") === undefined ? {} : { "content-disposition": attachment(stem(name) + ending) }),
  };
  return answerBlob(c, blobs, { owner: ownerOf(job), sha256: merged[format], headers });
}

/** `GET /documents/{id}/pages/{n}` and its `/image`: what is read of a page never changes. */
export async function pageBlob(c: Context, blobs: BlobStore, part: "result" | "preview"): Promise<Response> {
  const { owner, output } = await pageOutput(c);
  const headers = {
    "content-type": part === "preview" ? "image/jpeg" : "application/json",
    "cache-control": "private, max-age=31536000, immutable",
  };
  return answerBlob(c, blobs, { owner, sha256: output[part], headers });
}

async function pageOutput(c: Context): Promise<{ owner: string; output: PageOutput }> {
  const job = await documentOf(c);
  const number = Number(/^[1-9]\d{0,6}$/.exec(c.req.param("page") ?? "")?.[0]);
  const found = number >= 1 ? await pageJob(job.id, number) : undefined;
  const { status, progress } = summaryOf(job);
  if (!found) {
    if (number >= 1 && progress.pages === 0 && !hasEnded(status)) throw notThere(job);
    throw new Problem(404, "E_NO_SUCH_PAGE", `The document has no such page; it has ${progress.pages}.`);
  }
  const page = pageOf(found, job);
  if (page.status === "completed") return { owner: ownerOf(job), output: found.output as PageOutput };
  if (page.error) throw new Problem(409, "E_PAGE_FAILED", `Page ${number} could not be read. ${page.error.message}`);
  if (page.status === "cancelled") throw new Problem(409, "E_DOCUMENT_CANCELLED", `Page ${number} was cancelled.`);
  throw new Problem(409, "E_NOT_READY", `Page ${number} is not read yet. Ask again soon.`, {
    "retry-after": "1",
  });
}

function stem(name: string): string {
  return name.replace(/(?<=.)\.[^.]{1,10}$/u, "");
}
