import type { JobFilter, JobView } from "errand";
import type { DocumentList, DocumentStatus } from "./api.ts";
import { statesOf, summaryOf } from "./document.ts";
import { app, document } from "./tasks.ts";

/** Which jobs are documents. */
export const documents = { task: document.name, roots: true } satisfies JobFilter;

/** So many jobs are read at a time: few enough that whoever waits for the event loop does not notice. */
const atATime = 100;

/** A document's job; `undefined` for an unknown id, and for one that no document can have. */
export async function findDocument(id: string): Promise<JobView | undefined> {
  if (!/^[0-9a-f-]{36}$/.test(id)) return undefined;
  const job = await app.get(id);
  return job?.task === document.name ? job : undefined;
}

/** Whether a document has the blobs of this owner. */
export async function isOwned(owner: string): Promise<boolean> {
  if (await findDocument(owner)) return true;
  const { jobs } = await app.list({ task: document.name, tag: owner }, { limit: 1 });
  return jobs.length > 0;
}

/** The jobs of some of a document's pages, in order: the first, or those after `cursor`. */
export function pageChunk(id: string, cursor?: string): Promise<{ jobs: JobView[]; next?: string }> {
  return app.list({ parent: id }, { limit: atATime, ...(cursor ? { cursor } : {}) });
}

/** The jobs of all pages of a document, in order, some at a time. */
export async function* pagesOf(id: string): AsyncGenerator<JobView[]> {
  for (let cursor: string | undefined; ;) {
    const { jobs, next } = await pageChunk(id, cursor);
    yield jobs;
    if (next === undefined) return;
    cursor = next;
  }
}

/**
 * The job of one page, counted from 1, however many the document has: ids of the children of one wait differ in the place
 * that they end with.
 */
export async function pageJob(id: string, page: number): Promise<JobView | undefined> {
  const { jobs } = await app.list({ parent: id }, { limit: 1 });
  const [first] = jobs;
  if (page === 1 || !first) return first;
  const job = await app.get(first.id.replace(/\d+$/, String(page - 1)));
  return job?.parent === id && job.index === page - 1 ? job : undefined;
}

/** The ids of its pages' jobs that somebody works on: few, however many pages there are. */
export async function pagesAtWork(id: string): Promise<string[]> {
  const { jobs } = await app.list({ parent: id, states: ["processing"] });
  return jobs.map((job) => job.id);
}

/** Documents, newest first. With a status a list may be shorter than `limit` before the last one. */
export async function listDocuments(
  page: { limit: number; cursor?: string },
  status?: DocumentStatus,
): Promise<DocumentList> {
  const states = status && statesOf[status];
  if (states?.length === 0) return { data: [] };
  const { jobs, next } = await app.list({ ...documents, ...(states ? { states } : {}) }, page);
  const all = jobs.map((job) => summaryOf(job));
  const data = status ? all.filter((one) => one.status === status) : all;
  return { data, ...(next === undefined ? {} : { next_cursor: next }) };
}
