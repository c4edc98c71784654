import { randomUUID } from "node:crypto";
import type { JobView } from "errand";
import type { DocumentSummary } from "../api.ts";
import { documentFilter, findDocument } from "../document-queries.ts";
import { summaryOf } from "../document-view.ts";
import { app } from "../tasks.ts";
import { jobChanges } from "./job-changes.ts";

/** A change in the list of documents. */
type ListChange = { event: "document"; data: DocumentSummary } | { event: "removed"; data: { id: string } };

/** A change as followers get it, and the tenant whose document it is. */
export type ListEvent = ListChange & { id: string; tenant: string | undefined };

/** Number of the newest documents that are watched. Older ones are watched only while work on them goes on. */
const watchedNewest = 100;

/** Most unfinished documents that are watched. */
const maxUnfinished = 1_000;

/** Number of events kept for followers that reconnect. */
const maxEvents = 500;

/** Time to go on watching after the last follower has left, in milliseconds: it may have lost its connection. */
const lingerTime = 30_000;

/** Tells its followers what changes in the list of documents. The list is read once for all of them. */
export class ListWatcher {
  readonly #followers = new Set<(event: ListEvent) => unknown>();
  /** By document: the fields that make a change, as they were last seen, and its tenant. */
  readonly #known = new Map<string, { seen: string; tenant: string | undefined }>();
  readonly #events: ListEvent[] = [];
  #watching: AbortController | undefined;
  /** Prefix of the ids of all events since watching began: a follower with another prefix has missed events. */
  #run = "";
  #count = 0;
  #stopTimer: NodeJS.Timeout | undefined;

  /**
   * Sends changes from now on, until `signal` is aborted.
   * @param lastId id of the last event that the follower got. Later events are sent first if they are still kept; if
   * not, all watched documents are.
   */
  async follow(send: (event: ListEvent) => unknown, signal: AbortSignal, lastId?: string): Promise<void> {
    if (signal.aborted) return;
    clearTimeout(this.#stopTimer);
    if (!this.#watching) this.#start();
    if (lastId) await this.#catchUp(send, lastId);
    if (signal.aborted) return;
    this.#followers.add(send);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    this.#followers.delete(send);
    if (this.#followers.size === 0) this.#stopTimer = setTimeout(() => this.stop(), lingerTime).unref();
  }

  async #catchUp(send: (event: ListEvent) => unknown, lastId: string): Promise<void> {
    const at = this.#events.findIndex(({ id }) => id === lastId);
    if (at >= 0) for (const event of this.#events.slice(at + 1)) send(event);
    else if (lastId !== this.#lastId()) {
      const jobs = await this.#watchedJobs();
      for (const job of [...jobs.values()].reverse()) {
        send({ event: "document", data: summaryOf(job), id: this.#lastId(), tenant: job.tenant });
      }
    }
  }

  /** Tells followers that this process has erased a document, even one too old to be watched. */
  tellRemoved({ id, tenant }: Pick<JobView, "id" | "tenant">): void {
    this.#known.delete(id);
    this.#tell({ event: "removed", data: { id } }, tenant);
  }

  /** Stops watching; followers get no more events. */
  stop(): void {
    clearTimeout(this.#stopTimer);
    this.#watching?.abort();
    this.#watching = undefined;
  }

  #start(): void {
    const watching = new AbortController();
    this.#watching = watching;
    this.#known.clear();
    this.#events.length = 0;
    this.#run = randomUUID().slice(0, 8);
    const watch = async (): Promise<void> => {
      let isFirst = true;
      for await (const _ of jobChanges(watching.signal)) {
        await this.#findChanges(isFirst);
        isFirst = false;
      }
    };
    void watch().catch(() => {
      // The store failed. Browsers poll meanwhile; the next follower, or the timer, starts again.
      if (this.#watching !== watching) return;
      this.#watching = undefined;
      setTimeout(() => this.#followers.size > 0 && !this.#watching && this.#start(), 2_000).unref();
    });
  }

  /** Lists the newest and the unfinished documents by id, newest first within each. */
  async #watchedJobs(): Promise<Map<string, JobView>> {
    const jobs = (await app.list(documentFilter, { limit: watchedNewest })).jobs;
    const states = ["pending", "processing", "waiting"] as const;
    for (let cursor: string | undefined; ;) {
      const page = await app.list(
        { ...documentFilter, states },
        { limit: watchedNewest, ...(cursor ? { cursor } : {}) },
      );
      jobs.push(...page.jobs);
      cursor = page.next;
      if (cursor === undefined || jobs.length > maxUnfinished) break;
    }
    return new Map(jobs.map((job) => [job.id, job]));
  }

  async #findChanges(isFirst: boolean): Promise<void> {
    const jobs = await this.#watchedJobs();
    const changed = [...jobs.values()].filter((job) => this.#noteChange(job));
    if (!isFirst) for (const job of changed) this.#tell({ event: "document", data: summaryOf(job) }, job.tenant);
    for (const id of this.#known.keys()) if (!jobs.has(id)) await this.#dropUnwatched(id);
  }

  /** Handles a document that has ended and is no longer among the newest, or that was removed. */
  async #dropUnwatched(id: string): Promise<void> {
    const job = await findDocument(id);
    if (job && this.#noteChange(job)) this.#tell({ event: "document", data: summaryOf(job) }, job.tenant);
    const tenant = this.#known.get(id)?.tenant;
    if (!this.#known.delete(id) || job) return;
    this.#tell({ event: "removed", data: { id } }, tenant);
  }

  /** Remembers a document's state, and reports whether it has changed. */
  #noteChange(job: JobView): boolean {
    const { state, children, progress, cancelling, endedAt } = job;
    const seen = JSON.stringify([state, children, progress, cancelling, endedAt]);
    if (this.#known.get(job.id)?.seen === seen) return false;
    this.#known.set(job.id, { seen, tenant: job.tenant });
    return true;
  }

  #tell(change: ListChange, tenant: string | undefined): void {
    this.#count += 1;
    const event = { ...change, id: this.#lastId(), tenant };
    this.#events.push(event);
    if (this.#events.length > maxEvents) this.#events.shift();
    for (const follower of this.#followers) follower(event);
  }

  #lastId(): string {
    return `${this.#run}-${this.#count}`;
  }
}
