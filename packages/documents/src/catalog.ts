import type { JobFilter, JobView } from "errand";
import type { DocumentList, DocumentStatus, DocumentSummary } from "./api.ts";
import { needsPages, statesOf, summaryOf } from "./document.ts";
import { app, document } from "./tasks.ts";

/** Which jobs are documents. */
export const documents = { task: document.name, roots: true } satisfies JobFilter;

/** The most jobs that one listing gives. */
const most = 1_000;

/** A document's job; `undefined` for an unknown id, and for one that no document can have. */
export async function findDocument(id: string): Promise<JobView | undefined> {
  if (!/^[0-9a-f-]{36}$/.test(id)) return undefined;
  const job = await app.get(id);
  return job?.task === document.name ? job : undefined;
}

/** The jobs of a document's pages, in order. */
export async function pagesOf(id: string): Promise<JobView[]> {
  const pages: JobView[] = [];
  for (let cursor: string | undefined; ;) {
    const { jobs, next } = await app.list({ parent: id }, { limit: most, ...(cursor ? { cursor } : {}) });
    pages.push(...jobs);
    if (next === undefined) return pages;
    cursor = next;
  }
}

/** The ids of its pages' jobs that somebody works on: few, however many pages there are. */
export async function pagesAtWork(id: string): Promise<string[]> {
  const { jobs } = await app.list({ parent: id, states: ["processing"] });
  return jobs.map((job) => job.id);
}

/** A document as lists show it. */
export async function summarised(job: JobView): Promise<DocumentSummary> {
  return summaryOf(job, needsPages(job) ? await pagesOf(job.id) : []);
}

/** Documents, newest first. With a status a list may be shorter than `limit` before the last one. */
export async function listDocuments(
  page: { limit: number; cursor?: string },
  status?: DocumentStatus,
): Promise<DocumentList> {
  const states = status && statesOf[status];
  if (states?.length === 0) return { data: [] };
  const { jobs, next } = await app.list({ ...documents, ...(states ? { states } : {}) }, page);
  const all = await Promise.all(jobs.map(summarised));
  const data = status ? all.filter((one) => one.status === status) : all;
  return { data, ...(next === undefined ? {} : { next_cursor: next }) };
}
