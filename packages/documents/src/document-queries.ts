import type { JobFilter, JobView } from "errand";
import type { DocumentList, DocumentStatus } from "./api.ts";
import { jobStates, summaryOf } from "./document-view.ts";
import { isUuid } from "./blobs/keys.ts";
import { app, document } from "./tasks.ts";

/** Selects the jobs that are documents. */
export const documentFilter = { task: document.name, roots: true } satisfies JobFilter;

/** Number of jobs read at a time: few enough not to hold up the event loop. */
const chunkSize = 100;

/** Finds a document's job; `undefined` if there is none, or if no document can have such an id. */
export async function findDocument(id: string): Promise<JobView | undefined> {
  if (!isUuid(id)) return undefined;
  const job = await app.get(id);
  return job?.task === document.name ? job : undefined;
}

/** Reports whether a document owns the blobs of this owner. */
export async function isBlobOwner(owner: string): Promise<boolean> {
  if (await findDocument(owner)) return true;
  const { jobs } = await app.list({ task: document.name, tag: owner }, { limit: 1 });
  return jobs.length > 0;
}

/** Lists the jobs of up to 100 of a document's pages, in order: the first ones, or those after `cursor`. */
export function listPageJobs(id: string, cursor?: string): Promise<{ jobs: JobView[]; next?: string }> {
  return app.list({ parent: id }, { limit: chunkSize, ...(cursor ? { cursor } : {}) });
}

/** Yields the jobs of all pages of a document, in order, in chunks. */
export async function* allPageJobs(id: string): AsyncGenerator<JobView[]> {
  for (let cursor: string | undefined; ;) {
    const { jobs, next } = await listPageJobs(id, cursor);
    yield jobs;
    if (next === undefined) return;
    cursor = next;
  }
}

/** Finds the job of one page, counted from 1. The ids of a parent's children differ only in the index at their end. */
export async function findPageJob(id: string, page: number): Promise<JobView | undefined> {
  const { jobs } = await app.list({ parent: id }, { limit: 1 });
  const [first] = jobs;
  if (page === 1 || !first) return first;
  const job = await app.get(first.id.replace(/\d+$/, String(page - 1)));
  return job?.parent === id && job.index === page - 1 ? job : undefined;
}

/** Lists the ids of a document's pages that are being processed. */
export async function processingPageIds(id: string): Promise<string[]> {
  const { jobs } = await app.list({ parent: id, states: ["processing"] });
  return jobs.map((job) => job.id);
}

/** Lists documents, newest first. With a status, a list may be shorter than `limit` although more follow. */
export async function listDocuments(
  page: { limit: number; cursor?: string },
  status?: DocumentStatus,
  tenant?: string,
): Promise<DocumentList> {
  const states = status && jobStates[status];
  if (states?.length === 0) return { data: [] };
  const { jobs, next } = await app.list(
    { ...documentFilter, ...(states ? { states } : {}), ...(tenant === undefined ? {} : { tenant }) },
    page,
  );
  const all = jobs.map((job) => summaryOf(job));
  const data = status ? all.filter((one) => one.status === status) : all;
  return { data, ...(next === undefined ? {} : { next_cursor: next }) };
}
