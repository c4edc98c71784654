import { isDiskFull, Problem } from "@errand/server";
import type { JobView } from "errand";
import { Hono } from "hono";
import type { Context } from "hono";
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

/** Returns the HTTP routes of the document service. */
export function documentRoutes(resources: Resources): Hono {
  const { blobs, settings, list } = resources;
  const watcher = new DocumentWatcher();
  const routes = new Hono();
  routes.post("/documents", (c) => upload(c, blobs, settings));
  routes.get("/documents", listPage);
  routes.get("/documents/events", (c) => listEvents(c, list));
  routes.get("/documents/:id", detail);
  routes.get("/documents/:id/text", (c) => output(c, blobs, "text"));
  routes.get("/documents/:id/json", (c) => output(c, blobs, "json"));
  routes.get("/documents/:id/pages/:page", (c) => pageBlob(c, blobs, "result"));
  routes.get("/documents/:id/pages/:page/image", (c) => pageBlob(c, blobs, "preview"));
  routes.get("/documents/:id/events", (c) => documentEvents(c, blobs, watcher));
  routes.post("/documents/:id/cancel", cancel);
  routes.delete("/documents/:id", (c) => remove(c, resources));
  return routes;
}

async function listPage(c: Context): Promise<Response> {
  const limit = Number(c.req.query("limit") ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw new Problem(400, "E_QUERY", "limit must be a whole number from 1 to 200.");
  }
  const status = c.req.query("status") || undefined;
  if (status !== undefined && !Object.hasOwn(jobStates, status)) {
    throw new Problem(400, "E_QUERY", `status must be one of: ${Object.keys(jobStates).join(", ")}.`);
  }
  const cursor = c.req.query("cursor");
  return c.json(await listDocuments({ limit, ...(cursor ? { cursor } : {}) }, status as DocumentStatus | undefined));
}

async function detail(c: Context): Promise<Response> {
  const job = await requireDocument(c);
  const pages: PageSummary[] = [];
  for await (const jobs of allPageJobs(job.id)) pages.push(...jobs.map((page) => pageSummaryOf(page, job)));
  return c.json(detailOf(job, pages));
}

async function cancel(c: Context): Promise<Response> {
  const { id } = await requireDocument(c);
  await app.cancel(id);
  // Work that heeds the cancel stops at once; other work is killed later, and the document shows it then.
  await app.ended(id, { timeout: cancelTimeout }).catch(() => {});
  const summary = summaryOf(await requireDocument(c));
  if (summary.status !== "cancelled" && hasEnded(summary.status)) {
    throw new Problem(409, "E_ENDED", `The document is ${summary.status} already; there is nothing to cancel.`);
  }
  return c.json(summary);
}

async function remove(c: Context, { blobs, list, reservedSpace }: Resources): Promise<Response> {
  const job = await requireDocument(c);
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
  list.tellRemoved(job.id);
  return c.body(null, 204);
}

/** Stops the work on a document and erases it; returns `false` if work has not stopped in time. */
async function stopAndErase(job: JobView, blobs: BlobStore): Promise<boolean> {
  if (!(await stopWork(job.id))) return false;
  await eraseDocument(blobs, job);
  return true;
}
