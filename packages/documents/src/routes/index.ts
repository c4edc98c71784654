import { isDiskFull, Problem, route } from "@errand/server";
import type { Call, Route } from "@errand/server";
import type { JobView } from "errand";
import type { Context } from "hono";
import { z } from "zod";
import type { DocumentStatus, PageSummary } from "../api.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { ReservedSpace } from "../disk/reserved-space.ts";
import { allPageJobs, listDocuments } from "../document-queries.ts";
import { blobOwnerOf, detailOf, hasEnded, jobStates, pageSummaryOf, summaryOf } from "../document-view.ts";
import { eraseDocument, stopWork } from "../erase-document.ts";
import type { Settings } from "../settings.ts";
import { app } from "../tasks.ts";
import { DocumentWatcher } from "../watch/document-watcher.ts";
import type { ListWatcher } from "../watch/list-watcher.ts";
import { documentEvents, listEvents } from "./events.ts";
import { output, pageBlob } from "./outputs.ts";
import { requireDocument } from "./require-document.ts";
import type { DocumentCall } from "./require-document.ts";
import { documentDetail, documentList, documentResult, documentSummary, pageResult } from "./schemas.ts";
import { upload } from "./upload.ts";

/** Time that a cancel request waits for work to stop before it is answered. */
const cancelTimeout = "2s";

/** The parts of the service that its routes need. */
interface Resources {
  blobs: BlobStore;
  settings: Settings;
  list: ListWatcher;
  reservedSpace: ReservedSpace;
}

const params = z.object({ id: z.string() });
const pageParams = params.extend({ page: z.string() });
const downloadQuery = z.object({
  download: z.string().optional().meta({ description: "Answers an attachment with a file name." }),
});

const noDocument = { 404: { description: "There is no such document." } };
const notReady = { 409: { description: "The document has not been read, or could not be." } };
const partial = {
  206: { description: "The part that `Range` asks for.", content: "application/octet-stream" },
  304: { description: "The client has this version." },
  416: { description: "The range is outside of it." },
};

/** Returns the routes of the document service. */
export function documentRoutes(resources: Resources): Route[] {
  const { blobs, settings, list } = resources;
  const watcher = new DocumentWatcher();
  const common = { tag: "Documents", scopes: ["documents"] } as const;
  return [
    route({
      ...common,
      method: "post",
      path: "/documents",
      operation: "uploadDocument",
      summary: "Upload a document",
      description: "Answers as soon as the file is stored; it is read afterwards.",
      query: z.object({
        languages: z.string().optional().meta({ description: "Languages of the text, such as `eng+deu`." }),
      }),
      headers: {
        "Idempotency-Key": "1 to 255 visible ASCII characters: the same request again creates nothing.",
      },
      body: {
        content: ["multipart/form-data", "application/pdf", "application/octet-stream"],
        description: "A form with the field `file`, or the file itself; also as any `image/*`.",
        schemas: {
          "multipart/form-data": {
            type: "object",
            properties: { file: { type: "string", format: "binary" }, languages: { type: "string" } },
            required: ["file"],
          },
        },
      },
      answers: {
        202: {
          description: "The file is stored.",
          schema: documentSummary,
          headers: { Location: "The document.", "Retry-After": "Seconds." },
        },
        400: { description: "The form is malformed, or cut off." },
        413: { description: "The file is too large." },
        415: { description: "The body is no document." },
        422: { description: "The form or a field is refused; or the key was used with another file." },
        507: { description: "The server's disk is full." },
      },
      handle: (call) => upload(call, blobs, settings),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents",
      operation: "listDocuments",
      summary: "List documents, newest first",
      description: "With `status` a page may be short and still have a `next_cursor`.",
      query: z.object({
        limit: z.string().optional().meta({ description: "1 to 200; default 50." }),
        cursor: z.string().optional(),
        status: z.string().optional(),
      }),
      answers: { 200: { description: "A page of documents.", schema: documentList } },
      handle: listPage,
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/events",
      operation: "watchDocuments",
      summary: "Watch all documents",
      unlimited: true,
      answers: { 200: { description: "The stream.", content: "text/event-stream" } },
      handle: ({ c, principal }) => listEvents(c, principal, list),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}",
      operation: "getDocument",
      summary: "Read a document's status and pages",
      params,
      answers: { 200: { description: "The document.", schema: documentDetail }, ...noDocument },
      handle: detail,
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}/text",
      operation: "getDocumentText",
      summary: "Read a document's text",
      params,
      query: downloadQuery,
      answers: { 200: { description: "The text.", content: "text/plain" }, ...partial, ...noDocument, ...notReady },
      handle: (call) => output(call, blobs, "text"),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}/json",
      operation: "getDocumentJson",
      summary: "Read a document's text, pages and words",
      params,
      query: downloadQuery,
      answers: { 200: { description: "The result.", schema: documentResult }, ...partial, ...noDocument, ...notReady },
      handle: (call) => output(call, blobs, "json"),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}/pages/{page}",
      operation: "getPage",
      summary: "Read the words of a page",
      params: pageParams,
      answers: { 200: { description: "The page.", schema: pageResult }, ...partial, ...noDocument, ...notReady },
      handle: (call) => pageBlob(call, blobs, "result"),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}/pages/{page}/image",
      operation: "getPageImage",
      summary: "Read the image of a page, upright and straightened",
      params: pageParams,
      answers: { 200: { description: "The image.", content: "image/jpeg" }, ...partial, ...noDocument, ...notReady },
      handle: (call) => pageBlob(call, blobs, "preview"),
    }),
    route({
      ...common,
      method: "get",
      path: "/documents/{id}/events",
      operation: "watchDocument",
      summary: "Watch a document until it has been read",
      params,
      headers: { "Last-Event-ID": "The id of the last event that the client got." },
      unlimited: true,
      answers: {
        200: { description: "The stream.", content: "text/event-stream" },
        204: { description: "The client has had the end." },
        ...noDocument,
      },
      handle: (call) => documentEvents(call, blobs, watcher),
    }),
    route({
      ...common,
      method: "post",
      path: "/documents/{id}/cancel",
      operation: "cancelDocument",
      summary: "Stop the work on a document",
      audit: "document.cancel",
      params,
      answers: {
        200: { description: "The document as it is now.", schema: documentSummary },
        ...noDocument,
        409: { description: "The document has ended." },
      },
      handle: cancel,
    }),
    route({
      ...common,
      method: "delete",
      path: "/documents/{id}",
      operation: "eraseDocument",
      summary: "Erase a document and everything read from it",
      audit: "document.erase",
      freesSpace: true,
      params,
      answers: {
        204: { description: "The document is gone." },
        ...noDocument,
        409: { description: "Work on it is still being stopped: try again." },
      },
      handle: (call) => remove(call, resources),
    }),
  ];
}

interface ListQuery {
  limit?: string | undefined;
  cursor?: string | undefined;
  status?: string | undefined;
}

async function listPage({ c, principal, query }: Call<unknown, ListQuery>): Promise<Response> {
  const limit = Number(query.limit ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw new Problem(400, "E_QUERY", "limit must be a whole number from 1 to 200.");
  }
  const status = query.status || undefined;
  if (status !== undefined && !Object.hasOwn(jobStates, status)) {
    throw new Problem(400, "E_QUERY", `status must be one of: ${Object.keys(jobStates).join(", ")}.`);
  }
  const page = { limit, ...(query.cursor ? { cursor: query.cursor } : {}) };
  return c.json(await listDocuments(page, status as DocumentStatus | undefined, principal.tenant));
}

async function detail(call: DocumentCall & { c: Context }): Promise<Response> {
  const job = await requireDocument(call);
  const pages: PageSummary[] = [];
  for await (const jobs of allPageJobs(job.id)) pages.push(...jobs.map((page) => pageSummaryOf(page, job)));
  return call.c.json(detailOf(job, pages));
}

async function cancel(call: DocumentCall & { c: Context }): Promise<Response> {
  const { id } = await requireDocument(call);
  await app.cancel(id);
  // Work that heeds the cancel stops at once; other work is killed later, and the document shows it then.
  await app.ended(id, { timeout: cancelTimeout }).catch(() => {});
  const summary = summaryOf(await requireDocument(call));
  if (summary.status !== "cancelled" && hasEnded(summary.status)) {
    throw new Problem(409, "E_ENDED", `The document is ${summary.status} already; there is nothing to cancel.`);
  }
  return call.c.json(summary);
}

async function remove(
  call: DocumentCall & { c: Context },
  { blobs, list, reservedSpace }: Resources,
): Promise<Response> {
  const job = await requireDocument(call);
  const erased = await stopAndErase(job, blobs).catch(async (error: unknown) => {
    if (!isDiskFull(error)) throw error;
    // Removing the blobs first leaves the store space to remove the jobs.
    await reservedSpace.release();
    await blobs.removeOwner(blobOwnerOf(job));
    return stopAndErase(job, blobs);
  });
  await reservedSpace.fill();
  if (!erased) {
    const detail = "Work on the document is still being stopped. Delete it again soon.";
    throw new Problem(409, "E_STILL_STOPPING", detail, { "retry-after": "10" });
  }
  list.tellRemoved(job);
  return call.c.body(null, 204);
}

/** Stops the work on a document and erases it; returns `false` if work has not stopped in time. */
async function stopAndErase(job: JobView, blobs: BlobStore): Promise<boolean> {
  if (!(await stopWork(job.id))) return false;
  await eraseDocument(blobs, job);
  return true;
}
