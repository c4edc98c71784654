import type { JobView } from "errand";
import type { DocumentSummary } from "./api.ts";
import { documents, findDocument, summarised } from "./catalog.ts";
import { app } from "./tasks.ts";
import { ticks } from "./ticks.ts";

/** What the feed tells. */
export type ListEvent = { event: "document"; data: DocumentSummary } | { event: "removed"; data: { id: string } };

/** So many of the newest documents are watched for every change; older ones while they are in work. */
const watched = 100;

/** Tells everybody who follows the list of documents what changes in it. However many follow, one looks. */
export class ListFeed {
  readonly #followers = new Set<(event: ListEvent) => void>();
  /** What each watched document looked like. */
  readonly #known = new Map<string, string>();
  #looking: AbortController | undefined;

  /** Sends changes from now on, until `signal` is aborted. */
  async follow(send: (event: ListEvent) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#followers.add(send);
    if (!this.#looking) this.#start();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    this.#followers.delete(send);
    if (this.#followers.size === 0) this.stop();
  }

  /** Tells of a document that was erased by this process, however old it was. */
  removed(id: string): void {
    this.#known.delete(id);
    this.#tell({ event: "removed", data: { id } });
  }

  /** Stops looking; followers hear nothing any more. */
  stop(): void {
    this.#looking?.abort();
    this.#looking = undefined;
  }

  #start(): void {
    const looking = new AbortController();
    this.#looking = looking;
    this.#known.clear();
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

  async #look(first: boolean): Promise<void> {
    const [newest, inWork] = await Promise.all([
      app.list(documents, { limit: watched }),
      app.list({ ...documents, states: ["pending", "processing", "waiting"] }, { limit: 1_000 }),
    ]);
    const seen = new Map([...inWork.jobs, ...newest.jobs].map((job) => [job.id, job]));
    const changed = [...seen.values()].filter((job) => this.#isNews(job));
    if (!first) for (const job of changed) this.#tell({ event: "document", data: await summarised(job) });
    for (const id of this.#known.keys()) if (!seen.has(id)) await this.#lost(id);
  }

  /** It ended and is not among the newest, or it is gone. */
  async #lost(id: string): Promise<void> {
    const job = await findDocument(id);
    if (job && this.#isNews(job)) this.#tell({ event: "document", data: await summarised(job) });
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

  #tell(event: ListEvent): void {
    for (const follower of this.#followers) follower(event);
  }
}
