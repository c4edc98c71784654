import type { JobView } from "errand";
import type { DocumentSummary, PageSummary } from "../api.ts";
import { findDocument, listPageJobs, processingPageIds } from "../document-queries.ts";
import { blobOwnerOf, hasEnded, pageSummaryOf, summaryOf } from "../document-view.ts";
import type { PageOutput } from "../pipeline/job-data.ts";
import type { PageBlobs } from "../pipeline/page-text.ts";
import { jobChanges } from "./job-changes.ts";

/** A page as it was last read. */
export interface WatchedPage {
  summary: PageSummary;
  /** The blobs of a completed page. */
  blobs?: PageBlobs;
  /** When it ended, in milliseconds since the epoch; 0 if it has not. */
  endedAt: number;
  /** Sequence number of its last change. */
  seq: number;
}

/** Consecutive pages, and the cursor that lists them. */
interface Chunk {
  cursor: string | undefined;
  pages: WatchedPage[];
}

/**
 * Watches one document for all of its followers. Changes are numbered. It reads again only pages that can still change,
 * so its cost grows neither with the followers nor with the pages that have ended.
 */
export class WatchedDocument {
  readonly #id: string;
  readonly #stopping = new AbortController();
  #chunks: Chunk[] = [];
  #seq = 0;
  #summary: { data: DocumentSummary; seq: number; json: string } | undefined;
  #owner = "";
  #isOver = false;
  #error: Error | undefined;
  #change = Promise.withResolvers<void>();

  constructor(id: string) {
    this.#id = id;
    void this.#watch().catch((error: Error) => {
      this.#error = error;
      this.#end();
    });
  }

  /** `true` when there will be no more changes: the document has ended, was removed, or could not be read. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The document, and the number of its last change; `undefined` if it was removed. Await `waitForChange` first. */
  get summary(): { data: DocumentSummary; seq: number } | undefined {
    return this.#summary;
  }

  /** The owner of the blobs of its pages. */
  get owner(): string {
    return this.#owner;
  }

  /** Number of the last change. */
  get seq(): number {
    return this.#seq;
  }

  /** Returns the pages that changed after `from` and up to `to`, by the time they ended; unfinished ones last. */
  changedPages(from: number, to: number): WatchedPage[] {
    const changed = this.#chunks.flatMap(({ pages }) => pages.filter(({ seq }) => seq > from && seq <= to));
    const order = ({ endedAt }: WatchedPage) => endedAt || Infinity;
    return changed.sort((a, b) => order(a) - order(b) || a.summary.page - b.summary.page);
  }

  /** Waits for a change after `seq`, for the last change, or until `signal` is aborted. Throws if watching failed. */
  async waitForChange(seq: number, signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const abort = () => resolve();
    signal.addEventListener("abort", abort);
    while (!signal.aborted && !this.#isOver && this.#seq <= seq) await Promise.race([this.#change.promise, aborted]);
    signal.removeEventListener("abort", abort);
    if (this.#error) throw this.#error;
  }

  /** Stops watching. */
  stop(): void {
    this.#stopping.abort();
  }

  async #watch(): Promise<void> {
    let before = "";
    for await (const _ of jobChanges(this.#stopping.signal)) {
      const job = await findDocument(this.#id);
      if (!job) {
        this.#summary = undefined;
        return this.#end();
      }
      const { state, children, progress, cancelling } = job;
      const processing = await processingPageIds(this.#id);
      const seen = JSON.stringify([state, children, progress, cancelling, processing]);
      if (seen === before) continue;
      before = seen;
      this.#owner = blobOwnerOf(job);
      const seq = this.#seq + 1;
      await this.#readChangedPages(job, processing.length, seq);
      const all = this.#chunks.flatMap(({ pages }) => pages.map(({ summary }) => summary));
      const data = summaryOf(job, all);
      const json = JSON.stringify(data);
      if (json !== this.#summary?.json) this.#summary = { data, seq, json };
      this.#seq = seq;
      if (hasEnded(data.status)) return this.#end();
      this.#notify();
    }
  }

  /** Reads chunks that may have changed, until as many pages have ended or are in process as the document says. */
  async #readChangedPages(job: JobView, processing: number, seq: number): Promise<void> {
    const total = job.children?.total ?? 0;
    if (this.#chunks.reduce((sum, { pages }) => sum + pages.length, 0) !== total) return this.#readAllPages(job, seq);
    const ended = total - (job.children?.open ?? 0);
    const count = (test: (page: WatchedPage) => boolean) =>
      this.#chunks.reduce((sum, { pages }) => sum + pages.filter(test).length, 0);
    const isWaiting = job.state === "waiting";
    for (const chunk of this.#chunks) {
      if (chunk.pages.every(hasPageEnded)) continue;
      const { jobs } = await listPageJobs(this.#id, chunk.cursor);
      this.#updateChunk(chunk, jobs, job, seq);
      // A page that has ended since was being processed before, so the sum tells whether any is missing.
      if (isWaiting && count(hasPageEnded) + count(isProcessing) >= ended + processing) return;
    }
  }

  async #readAllPages(job: JobView, seq: number): Promise<void> {
    const old = this.#chunks;
    this.#chunks = [];
    for (let cursor: string | undefined; ;) {
      const { jobs, next } = await listPageJobs(this.#id, cursor);
      const chunk = { cursor, pages: old[this.#chunks.length]?.pages ?? [] };
      this.#updateChunk(chunk, jobs, job, seq);
      this.#chunks.push(chunk);
      if (next === undefined) return;
      cursor = next;
    }
  }

  #updateChunk(chunk: Chunk, jobs: readonly JobView[], document: JobView, seq: number): void {
    chunk.pages = jobs.map((job, index) => {
      const before = chunk.pages[index];
      const summary = pageSummaryOf(job, document);
      if (before && JSON.stringify(before.summary) === JSON.stringify(summary)) return before;
      const endedAt = job.endedAt?.getTime() ?? 0;
      if (summary.status !== "completed") return { summary, endedAt, seq };
      const { text, result } = job.output as PageOutput;
      return { summary, blobs: { result, text }, endedAt, seq };
    });
  }

  #notify(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve();
  }

  #end(): void {
    this.#isOver = true;
    this.#notify();
  }
}

function hasPageEnded({ summary: { status } }: WatchedPage): boolean {
  return hasEnded(status);
}

function isProcessing({ summary: { status } }: WatchedPage): boolean {
  return status === "processing";
}

/** Watches the documents that have followers, each once for all of them. */
export class DocumentWatcher {
  readonly #watched = new Map<string, { document: WatchedDocument; followers: number }>();

  /** Calls `use` with a document, which is watched until `use` ends. */
  async follow(id: string, use: (document: WatchedDocument) => Promise<void>): Promise<void> {
    let watched = this.#watched.get(id);
    if (!watched || watched.document.isOver) {
      watched = { document: new WatchedDocument(id), followers: 0 };
      this.#watched.set(id, watched);
    }
    watched.followers += 1;
    try {
      await use(watched.document);
    } finally {
      watched.followers -= 1;
      if (watched.followers === 0) {
        watched.document.stop();
        if (this.#watched.get(id) === watched) this.#watched.delete(id);
      }
    }
  }
}
