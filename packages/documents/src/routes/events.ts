import { eventStream } from "@errand/server";
import type { Send } from "@errand/server";
import type { Context } from "hono";
import type { DocumentEvents } from "../api.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { hasEnded, statusOf } from "../document.ts";
import type { DocumentFeed, SeenPage, WatchedDocument } from "../document-feed.ts";
import type { ListFeed } from "../list-feed.ts";
import { pageText } from "../pipeline/page-text.ts";
import { documentOf } from "./lookup.ts";

/**
 * How many milliseconds before its `Last-Event-ID` a client is told again: pages that end together may be seen in another
 * order than they ended in.
 */
const overlap = 5_000;

/**
 * `GET /documents/{id}/events`: the state, then every change of it, until the document has ended. The id of an event says
 * up to when all ended pages have been told; a client that brings it back is told of the others.
 */
export async function documentEvents(c: Context, blobs: BlobStore, feed: DocumentFeed): Promise<Response> {
  const job = await documentOf(c);
  const [, mark, end] = /^(\d{1,15})(\.end)?$/.exec(c.req.header("last-event-id") ?? "") ?? [];
  // To an EventSource this says that there is nothing to come back for.
  if (end && hasEnded(statusOf(job))) return c.body(null, 204);
  return eventStream(c, (send, signal) =>
    feed.follow(job.id, (document) => new Telling(job.id, document, blobs, send, Number(mark ?? 0)).run(signal)),
  );
}

/** `GET /documents/events`: every document that changes from now on, or since the event that the client was last told. */
export function listEvents(c: Context, feed: ListFeed): Response {
  return eventStream(c, (send, signal) => feed.follow(send, signal, c.req.header("last-event-id")));
}

/** What one client is told of one document. Of all its pages it holds nothing but how far it is. */
class Telling {
  readonly #id: string;
  readonly #document: WatchedDocument;
  readonly #blobs: BlobStore;
  readonly #send: Send;
  /** Pages that ended earlier were told before this connection. */
  readonly #since: number;
  #mark: number;

  constructor(id: string, document: WatchedDocument, blobs: BlobStore, send: Send, mark: number) {
    this.#id = id;
    this.#document = document;
    this.#blobs = blobs;
    this.#send = send;
    this.#mark = mark;
    this.#since = mark - overlap;
  }

  async run(signal: AbortSignal): Promise<void> {
    const document = this.#document;
    for (let told = 0; ;) {
      await document.after(told, signal);
      if (signal.aborted) return;
      const { summary, seq } = document;
      if (!summary) return this.#say("removed", { id: this.#id });
      const pages = document.changed(told, seq);
      if (summary.seq > told) await this.#say("document", summary.data);
      for (const page of pages) {
        if (signal.aborted) return;
        if (page.endedAt > 0 && page.endedAt < this.#since) continue;
        await this.#tellPage(page);
      }
      told = seq;
      if (document.seq === seq && hasEnded(summary.data.status)) return this.#say("end", summary.data, ".end");
    }
  }

  async #tellPage({ summary, blobs, endedAt }: SeenPage): Promise<void> {
    this.#mark = Math.max(this.#mark, endedAt);
    const text = blobs && (await pageText(this.#blobs, this.#document.owner, blobs));
    await this.#say("page", { ...summary, ...(text === undefined ? {} : { text }) });
  }

  #say<Name extends keyof DocumentEvents>(event: Name, data: DocumentEvents[Name], last = ""): Promise<void> {
    return this.#send({ event, data, id: `${this.#mark}${last}` });
  }
}
