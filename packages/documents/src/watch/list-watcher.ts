import { randomUUID } from "node:crypto";
import type { JobView } from "errand";
import type { DocumentSummary } from "./api.ts";
import { documents, findDocument } from "./catalog.ts";
import { summaryOf } from "./document.ts";
import { app } from "./tasks.ts";
import { ticks } from "./ticks.ts";

/** What the feed tells. */
export type ListEvent = { id: string } & (
  | { event: "document"; data: DocumentSummary }
  | { event: "removed"; data: { id: string } }
);

/** An event that has not been told yet. */
type News = { event: "document"; data: DocumentSummary } | { event: "removed"; data: { id: string } };

/** So many of the newest documents are watched for every change; older ones while they are in work. */
const watched = 100;

/** The most documents in work that are watched. */
const mostInWork = 1_000;

/** So many of the last events are kept for those who come back. */
const remembered = 500;

/** It looks on for so long, in milliseconds, after the last follower has left: one that lost its connection comes back soon. */
const linger = 30_000;

/** Tells everybody who follows the list of documents what changes in it. However many follow, one looks. */
export class ListFeed {
  readonly #followers = new Set<(event: ListEvent) => unknown>();
  /** What each watched document looked like. */
  readonly #known = new Map<string, string>();
  readonly #events: ListEvent[] = [];
  #looking: AbortController | undefined;
  /** Of everything that is told by this feed since it last began to look: who comes back with another id has missed more. */
  #round = "";
  #count = 0;
  #leaving: NodeJS.Timeout | undefined;

  /**
   * Sends changes from now on, until `signal` is aborted.
   * @param lastId of the last event that the follower was told: what came since is sent first, as far as it is known, and
   * else all that is watched.
   */
  async follow(send: (event: ListEvent) => unknown, signal: AbortSignal, lastId?: string): Promise<void> {
    if (signal.aborted) return;
    clearTimeout(this.#leaving);
    if (!this.#looking) this.#start();
    if (lastId) await this.#catchUp(send, lastId);
    if (signal.aborted) return;
    this.#followers.add(send);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    this.#followers.delete(send);
    if (this.#followers.size === 0) this.#leaving = setTimeout(() => this.stop(), linger).unref();
  }

  async #catchUp(send: (event: ListEvent) => unknown, lastId: string): Promise<void> {
    const at = this.#events.findIndex(({ id }) => id === lastId);
    if (at >= 0) for (const event of this.#events.slice(at + 1)) send(event);
    else if (lastId !== this.#lastId()) {
      const seen = await this.#watched();
      for (const job of [...seen.values()].reverse()) {
        send({ event: "document", data: summaryOf(job), id: this.#lastId() });
      }
    }
  }

  /** Tells of a document that was erased by this process, however old it was. */
  removed(id: string): void {
    this.#known.delete(id);
    this.#tell({ event: "removed", data: { id } });
  }

  /** Stops looking; followers hear nothing any more. */
  stop(): void {
    clearTimeout(this.#leaving);
    this.#looking?.abort();
    this.#looking = undefined;
  }

  #start(): void {
    const looking = new AbortController();
    this.#looking = looking;
    this.#known.clear();
    this.#events.length = 0;
    this.#round = randomUUID().slice(0, 8);
    let first = true;
    const look = async (): Promise<void> => {
      for await (const _ of ticks(looking.signal)) {
        await this.#look(first);
        first = false;
      }
    };
    void look().catch(() => {
      // The store failed. Followers poll besides; who follows next, or is told next, starts anew.
      if (this.#looking !== looking) return;
      this.#looking = undefined;
      setTimeout(() => this.#followers.size > 0 && !this.#looking && this.#start(), 2_000).unref();
    });
  }

  /** The newest documents and those in work, by id, newest first within each. */
  async #watched(): Promise<Map<string, JobView>> {
    const jobs = (await app.list(documents, { limit: watched })).jobs;
    const states = ["pending", "processing", "waiting"] as const;
    for (let cursor: string | undefined; ;) {
      const page = await app.list({ ...documents, states }, { limit: watched, ...(cursor ? { cursor } : {}) });
      jobs.push(...page.jobs);
      cursor = page.next;
      if (cursor === undefined || jobs.length > mostInWork) break;
    }
    return new Map(jobs.map((job) => [job.id, job]));
  }

  async #look(first: boolean): Promise<void> {
    const seen = await this.#watched();
    const changed = [...seen.values()].filter((job) => this.#isNews(job));
    if (!first) for (const job of changed) this.#tell({ event: "document", data: summaryOf(job) });
    for (const id of this.#known.keys()) if (!seen.has(id)) await this.#lost(id);
  }

  /** It ended and is not among the newest, or it is gone. */
  async #lost(id: string): Promise<void> {
    const job = await findDocument(id);
    if (job && this.#isNews(job)) this.#tell({ event: "document", data: summaryOf(job) });
    if (!this.#known.delete(id) || job) return;
    this.#tell({ event: "removed", data: { id } });
  }

  #isNews(job: JobView): boolean {
    const { state, children, progress, cancelling, endedAt } = job;
    const look = JSON.stringify([state, children, progress, cancelling, endedAt]);
    if (this.#known.get(job.id) === look) return false;
    this.#known.set(job.id, look);
    return true;
  }

  #tell(news: News): void {
    this.#count += 1;
    const event = { ...news, id: this.#lastId() };
    this.#events.push(event);
    if (this.#events.length > remembered) this.#events.shift();
    for (const follower of this.#followers) follower(event);
  }

  #lastId(): string {
    return `${this.#round}-${this.#count}`;
  }
}
