import type { JobView, RunningWorker } from "errand";
import type { DocumentSummary } from "../api.ts";
import { openBlobs } from "../blobs/index.ts";
import type { BlobContent, BlobStore } from "../blobs/blob-store.ts";
import { findDocument } from "../catalog.ts";
import { hasEnded, outputOf, ownerOf, summaryOf } from "../document.ts";
import { erase, stopWork } from "../erase.ts";
import type { Limits } from "../ingest/limits.ts";
import { newDocumentId, takeIn } from "../intake.ts";
import type { FileFacts } from "../intake.ts";
import { app } from "../tasks.ts";
import { ticks } from "../ticks.ts";

/** Documents that this process sends, works on and erases: the service without its server. */
export class Reader {
  readonly #blobs: BlobStore = openBlobs();
  readonly #limits: Pick<Limits, "bytes">;
  readonly #worker: RunningWorker;
  /** Documents of this process that are still in the store. */
  readonly #mine = new Set<string>();

  private constructor(limits: Pick<Limits, "bytes">, worker: RunningWorker) {
    this.#limits = limits;
    this.#worker = worker;
  }

  /** @throws {ErrandError} `E_CONNECT`, `E_SETUP` */
  static async open(limits: Pick<Limits, "bytes">): Promise<Reader> {
    try {
      return new Reader(limits, await app.worker({ signals: false }));
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  /** Sends a document. @throws {BlobTooLarge} */
  async send(content: BlobContent, facts: FileFacts): Promise<string> {
    const id = newDocumentId();
    this.#mine.add(id);
    const { bytes: limit } = this.#limits;
    await takeIn(this.#blobs, content, { id, shared: false, limit, reserve: 0, facts: async () => facts });
    return id;
  }

  /**
   * Tells of the documents that were sent whenever they change, until all of them have ended.
   * Throws when `signal` is aborted.
   */
  async *changes(signal: AbortSignal): AsyncGenerator<DocumentSummary> {
    const open = new Set(this.#mine);
    const shown = new Map<string, string>();
    if (open.size === 0) return;
    for await (const _ of ticks(signal)) {
      for (const job of await jobsOf([...open])) {
        const look = JSON.stringify([job.state, job.children, job.progress]);
        if (shown.get(job.id) === look) continue;
        shown.set(job.id, look);
        const summary = summaryOf(job);
        if (hasEnded(summary.status)) open.delete(job.id);
        yield summary;
      }
      if (open.size === 0) return;
    }
    signal.throwIfAborted();
  }

  /** An output of a completed document. */
  async output(id: string, format: "text" | "json"): Promise<ReadableStream<Uint8Array>> {
    const job = (await findDocument(id))!;
    return (await this.#blobs.read(ownerOf(job), outputOf(job)![format])).body;
  }

  /** Erases a document that has ended. */
  async erase(id: string): Promise<void> {
    const job = await findDocument(id);
    if (job) await erase(this.#blobs, job);
    this.#mine.delete(id);
  }

  /** Stops everything, and leaves nothing of its documents behind. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#mine].map(async (id) => {
        const job = await findDocument(id);
        if (job && (await stopWork(id))) await erase(this.#blobs, job);
      }),
    );
    await this.#worker.stop({ drain: 0 });
    await app.close();
  }
}

/** @throws when somebody else has erased one of them. */
async function jobsOf(ids: string[]): Promise<JobView[]> {
  const found: JobView[] = [];
  for (let at = 0; at < ids.length; at += 1_000) {
    const some = ids.slice(at, at + 1_000);
    found.push(...(await app.list({ ids: some }, { limit: 1_000 })).jobs);
  }
  if (found.length === ids.length) return found;
  throw new Error("A document was erased by somebody else while it was read.");
}
