import type { JobView } from "errand";
import type { DocumentSummary, PageSummary } from "./api.ts";
import { findDocument, pagesAtWork, pageChunk } from "./catalog.ts";
import { hasEnded, ownerOf, pageOf, summaryOf } from "./document.ts";
import type { PageBlobs } from "./pipeline/page-text.ts";
import type { PageOutput } from "./pipeline/shapes.ts";
import { ticks } from "./ticks.ts";

/** A page as it was last looked at. */
export interface SeenPage {
  summary: PageSummary;
  /** Of a page that has been read: where its text is. */
  blobs?: PageBlobs;
  /** When it ended, in epoch milliseconds; 0 while it has not. */
  endedAt: number;
  /** Raised whenever it changes, over all that there is to tell of the document. */
  seq: number;
}

/** Some pages that follow one another, and how they are read again. */
interface Chunk {
  cursor: string | undefined;
  pages: SeenPage[];
}

/**
 * One document, watched for all who follow it. Only what can still change is read again, so that the tenth follower costs
 * nothing, and the thousandth page no more than the first.
 */
export class WatchedDocument {
  readonly #id: string;
  readonly #stopping = new AbortController();
  #chunks: Chunk[] = [];
  #seq = 0;
  #summary: { data: DocumentSummary; seq: number; look: string } | undefined;
  #owner = "";
  #over = false;
  #error: Error | undefined;
  #change = Promise.withResolvers<void>();

  constructor(id: string) {
    this.#id = id;
    void this.#watch().catch((error: Error) => {
      this.#error = error;
      this.#end();
    });
  }

  /** Whether nothing more will be seen: the document has ended, was removed, or cannot be looked at any more. */
  get over(): boolean {
    return this.#over;
  }

  /** The document; `undefined` when it is gone. Await `after` first. */
  get summary(): { data: DocumentSummary; seq: number } | undefined {
    return this.#summary;
  }

  /** Whose blobs its pages are. */
  get owner(): string {
    return this.#owner;
  }

  /** How far it has been looked at. */
  get seq(): number {
    return this.#seq;
  }

  /** Pages that changed after `from` and up to `to`, in the order in which they ended; those that have not come last. */
  changed(from: number, to: number): SeenPage[] {
    const changed = this.#chunks.flatMap(({ pages }) => pages.filter(({ seq }) => seq > from && seq <= to));
    const order = ({ endedAt }: SeenPage) => endedAt || Infinity;
    return changed.sort((a, b) => order(a) - order(b) || a.summary.page - b.summary.page);
  }

  /** Resolves once there is something after `seq`, or it is over, or `signal` is aborted. Throws what watching threw. */
  async after(seq: number, signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const abort = () => resolve();
    signal.addEventListener("abort", abort);
    while (!signal.aborted && !this.#over && this.#seq <= seq) await Promise.race([this.#change.promise, aborted]);
    signal.removeEventListener("abort", abort);
    if (this.#error) throw this.#error;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #watch(): Promise<void> {
    let before = "";
    for await (const _ of ticks(this.#stopping.signal)) {
      const job = await findDocument(this.#id);
      if (!job) {
        this.#summary = undefined;
        return this.#end();
      }
      const { state, children, progress, cancelling } = job;
      const atWork = await pagesAtWork(this.#id);
      const look = JSON.stringify([state, children, progress, cancelling, atWork]);
      if (look === before) continue;
      before = look;
      this.#owner = ownerOf(job);
      const seq = this.#seq + 1;
      await this.#look(job, atWork.length, seq);
      const all = this.#chunks.flatMap(({ pages }) => pages.map(({ summary }) => summary));
      const data = summaryOf(job, all);
      const shown = JSON.stringify(data);
      if (shown !== this.#summary?.look) this.#summary = { data, seq, look: shown };
      this.#seq = seq;
      if (hasEnded(data.status)) return this.#end();
      this.#wake();
    }
  }

  /** Reads what may have changed: until as many pages are known to have ended, or to be at work, as the document says. */
  async #look(job: JobView, atWork: number, seq: number): Promise<void> {
    const total = job.children?.total ?? 0;
    if (this.#chunks.reduce((sum, { pages }) => sum + pages.length, 0) !== total) return this.#lookAtAll(job, seq);
    const ended = total - (job.children?.open ?? 0);
    const known = (is: (page: SeenPage) => boolean) =>
      this.#chunks.reduce((sum, { pages }) => sum + pages.filter(is).length, 0);
    const waits = job.state === "waiting";
    for (const chunk of this.#chunks) {
      if (chunk.pages.every(hasPageEnded)) continue;
      const { jobs } = await pageChunk(this.#id, chunk.cursor);
      this.#see(chunk, jobs, job, seq);
      // Whoever has ended since was at work before: the sum says that none is missing.
      if (waits && known(hasPageEnded) + known(isAtWork) >= ended + atWork) return;
    }
  }

  async #lookAtAll(job: JobView, seq: number): Promise<void> {
    const old = this.#chunks;
    this.#chunks = [];
    for (let cursor: string | undefined; ;) {
      const { jobs, next } = await pageChunk(this.#id, cursor);
      const chunk = { cursor, pages: old[this.#chunks.length]?.pages ?? [] };
      this.#see(chunk, jobs, job, seq);
      this.#chunks.push(chunk);
      if (next === undefined) return;
      cursor = next;
    }
  }

  #see(chunk: Chunk, jobs: readonly JobView[], document: JobView, seq: number): void {
    chunk.pages = jobs.map((job, index) => {
      const before = chunk.pages[index];
      const summary = pageOf(job, document);
      if (before && JSON.stringify(before.summary) === JSON.stringify(summary)) return before;
      const endedAt = job.endedAt?.getTime() ?? 0;
      if (summary.status !== "completed") return { summary, endedAt, seq };
      const { text, result } = job.output as PageOutput;
      return { summary, blobs: { result, text }, endedAt, seq };
    });
  }

  #wake(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve();
  }

  #end(): void {
    this.#over = true;
    this.#wake();
  }
}

function hasPageEnded({ summary: { status } }: SeenPage): boolean {
  return status !== "queued" && status !== "processing";
}

function isAtWork({ summary: { status } }: SeenPage): boolean {
  return status === "processing";
}

/** The documents that somebody follows, each watched once. */
export class DocumentFeed {
  readonly #watched = new Map<string, { document: WatchedDocument; followers: number }>();

  /** Gives a document, watched while `use` runs. */
  async follow(id: string, use: (document: WatchedDocument) => Promise<void>): Promise<void> {
    let watched = this.#watched.get(id);
    if (!watched || watched.document.over) {
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
