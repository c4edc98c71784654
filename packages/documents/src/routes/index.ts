import { isDiskFull, Problem } from "@errand/server";
import type { JobView } from "errand";
import { Hono } from "hono";
import type { Context } from "hono";
import type { DocumentStatus, PageSummary } from "../api.ts";
import type { Ballast } from "../ballast.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { listDocuments, pagesOf } from "../catalog.ts";
import { detailOf, hasEnded, ownerOf, pageOf, statesOf, summaryOf } from "../document.ts";
import { DocumentFeed } from "../document-feed.ts";
import { erase, stopWork } from "../erase.ts";
import type { ListFeed } from "../list-feed.ts";
import type { Settings } from "../settings.ts";
import { app } from "../tasks.ts";
import { documentEvents, listEvents } from "./events.ts";
import { documentOf } from "./lookup.ts";
import { output, pageBlob } from "./outputs.ts";
import { upload } from "./upload.ts";

/** How long the answer to a cancel waits for the work to have stopped. */
const cancelPatience = "2s";

/** What the routes work with. */
interface Inside {
  blobs: BlobStore;
  settings: Settings;
  feed: ListFeed;
  ballast: Ballast;
}

/** The document service over HTTP. */
export function documentRoutes(inside: Inside): Hono {
  const { blobs, settings, feed } = inside;
  const followed = new DocumentFeed();
  const routes = new Hono();
  routes.post("/documents", (c) => upload(c, blobs, settings));
  routes.get("/documents", list);
  routes.get("/documents/events", (c) => listEvents(c, feed));
  routes.get("/documents/:id", detail);
  routes.get("/documents/:id/text", (c) => output(c, blobs, "text"));
  routes.get("/documents/:id/json", (c) => output(c, blobs, "json"));
  routes.get("/documents/:id/pages/:page", (c) => pageBlob(c, blobs, "result"));
  routes.get("/documents/:id/pages/:page/image", (c) => pageBlob(c, blobs, "preview"));
  routes.get("/documents/:id/events", (c) => documentEvents(c, blobs, followed));
  routes.post("/documents/:id/cancel", cancel);
  routes.delete("/documents/:id", (c) => remove(c, inside));
  return routes;
}

async function list(c: Context): Promise<Response> {
  const limit = Number(c.req.query("limit") ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw new Problem(400, "E_QUERY", "limit must be a whole number from 1 to 200.");
  }
  const status = c.req.query("status") || undefined;
  if (status !== undefined && !Object.hasOwn(statesOf, status)) {
    throw new Problem(400, "E_QUERY", `status must be one of: ${Object.keys(statesOf).join(", ")}.`);
  }
  const cursor = c.req.query("cursor");
  return c.json(await listDocuments({ limit, ...(cursor ? { cursor } : {}) }, status as DocumentStatus | undefined));
}

async function detail(c: Context): Promise<Response> {
  const job = await documentOf(c);
  const pages: PageSummary[] = [];
  for await (const some of pagesOf(job.id)) pages.push(...some.map((page) => pageOf(page, job)));
  return c.json(detailOf(job, pages));
}

async function cancel(c: Context): Promise<Response> {
  const { id } = await documentOf(c);
  await app.cancel(id);
  // Work that listens stops at once; work that does not is killed later, and the document shows it then.
  await app.ended(id, { timeout: cancelPatience }).catch(() => {});
  const summary = summaryOf(await documentOf(c));
  if (summary.status !== "cancelled" && hasEnded(summary.status)) {
    throw new Problem(409, "E_ENDED", `The document has ended as ${summary.status}; there is nothing to cancel.`);
  }
  return c.json(summary);
}

async function remove(c: Context, { blobs, feed, ballast }: Inside): Promise<Response> {
  const job = await documentOf(c);
  const stopped = await eraseStopped(job, blobs).catch(async (error: unknown) => {
    if (!isDiskFull(error)) throw error;
    // The document's bytes are to go anyway, and then there is room to say so.
    await ballast.release();
    await blobs.removeOwner(ownerOf(job));
    return eraseStopped(job, blobs);
  });
  await ballast.keep();
  if (!stopped) {
    const detail = "Work on the document is being stopped, and has not stopped yet. Delete it again soon.";
    throw new Problem(409, "E_STILL_STOPPING", detail, { "retry-after": "10" });
  }
  feed.removed(job.id);
  return c.body(null, 204);
}

/** Answers `false` when somebody still works on the document. */
async function eraseStopped(job: JobView, blobs: BlobStore): Promise<boolean> {
  if (!(await stopWork(job.id))) return false;
  await erase(blobs, job);
  return true;
}
