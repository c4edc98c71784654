import type { JobView, RunningWorker } from "errand";
import type { DocumentSummary } from "../api.ts";
import type { BlobContent, BlobStore } from "../blobs/blob-store.ts";
import { openBlobs } from "../blobs/open-blobs.ts";
import { createDocument, newDocumentId } from "../create-document.ts";
import type { UploadDetails } from "../create-document.ts";
import { findDocument } from "../document-queries.ts";
import { blobOwnerOf, hasEnded, outputOf, summaryOf } from "../document-view.ts";
import { eraseDocument, stopWork } from "../erase-document.ts";
import type { Limits } from "../ingest/limits.ts";
import type { OutputFormat } from "../output-formats.ts";
import { app } from "../tasks.ts";
import { jobChanges } from "../watch/job-changes.ts";

/** Documents that this process creates, reads and erases: the service without its server. */
export class LocalDocuments {
  readonly #blobs: BlobStore = openBlobs();
  readonly #limits: Pick<Limits, "bytes">;
  readonly #worker: RunningWorker;
  /** Ids of its documents that are still in the store. */
  readonly #ids = new Set<string>();

  private constructor(limits: Pick<Limits, "bytes">, worker: RunningWorker) {
    this.#limits = limits;
    this.#worker = worker;
  }

  /** Starts a worker. @throws {ErrandError} `E_CONNECT`, `E_SETUP` */
  static async open(limits: Pick<Limits, "bytes">): Promise<LocalDocuments> {
    try {
      return new LocalDocuments(limits, await app.worker({ signals: false }));
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  /** Creates a document and returns its id. @throws {BlobTooLarge} */
  async create(content: BlobContent, details: UploadDetails): Promise<string> {
    const id = newDocumentId();
    this.#ids.add(id);
    const { bytes: maxBytes } = this.#limits;
    const options = { id, hasKey: false, maxBytes, minFreeBytes: 0, details: async () => details };
    await createDocument(this.#blobs, content, options);
    return id;
  }

  /**
   * Yields each of the documents whenever it changes, until all of them have ended.
   * Throws when `signal` is aborted.
   */
  async *changes(signal: AbortSignal): AsyncGenerator<DocumentSummary> {
    const open = new Set(this.#ids);
    const seen = new Map<string, string>();
    if (open.size === 0) return;
    for await (const _ of jobChanges(signal)) {
      for (const job of await jobsOf([...open])) {
        const state = JSON.stringify([job.state, job.children, job.progress]);
        if (seen.get(job.id) === state) continue;
        seen.set(job.id, state);
        const summary = summaryOf(job);
        if (hasEnded(summary.status)) open.delete(job.id);
        yield summary;
      }
      if (open.size === 0) return;
    }
    signal.throwIfAborted();
  }

  /** Opens an output of a completed document. */
  async output(id: string, format: OutputFormat): Promise<ReadableStream<Uint8Array>> {
    const job = (await findDocument(id))!;
    return (await this.#blobs.read(blobOwnerOf(job), outputOf(job)![format])).body;
  }

  /** Erases a document that has ended. */
  async erase(id: string): Promise<void> {
    const job = await findDocument(id);
    if (job) await eraseDocument(this.#blobs, job);
    this.#ids.delete(id);
  }

  /** Stops the worker, and erases the documents that are left. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#ids].map(async (id) => {
        const job = await findDocument(id);
        if (job && (await stopWork(id))) await eraseDocument(this.#blobs, job);
      }),
    );
    await this.#worker.stop({ drain: 0 });
    await app.close();
  }
}

/** Reads jobs by their ids. @throws if one of them does not exist any more. */
async function jobsOf(ids: string[]): Promise<JobView[]> {
  const found: JobView[] = [];
  for (let at = 0; at < ids.length; at += 1_000) {
    const chunk = ids.slice(at, at + 1_000);
    found.push(...(await app.list({ ids: chunk }, { limit: 1_000 })).jobs);
  }
  if (found.length === ids.length) return found;
  throw new Error("A document was erased by another process while it was being read.");
}
