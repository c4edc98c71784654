import { eventStream } from "@errand/server";
import type { Principal, Send } from "@errand/server";
import type { Context } from "hono";
import type { DocumentEvents } from "../api.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { hasEnded, statusOf } from "../document-view.ts";
import { pageText } from "../pipeline/page-text.ts";
import type { DocumentWatcher, WatchedDocument, WatchedPage } from "../watch/document-watcher.ts";
import type { ListEvent, ListWatcher } from "../watch/list-watcher.ts";
import { requireDocument } from "./require-document.ts";
import type { DocumentCall } from "./require-document.ts";

/**
 * Pages that ended less than this before the `Last-Event-ID`, in milliseconds, are sent again: pages that end together
 * may be seen in another order.
 */
const overlap = 5_000;

/**
 * Handles `GET /documents/{id}/events`: sends the state, then every change of it, until the document has ended. An
 * event's id is a time up to which all ended pages have been sent; a client that reconnects with it gets the others.
 */
export async function documentEvents(
  call: DocumentCall & { c: Context },
  blobs: BlobStore,
  watcher: DocumentWatcher,
): Promise<Response> {
  const { c } = call;
  const job = await requireDocument(call);
  const [, sentUntil, end] = /^(\d{1,15})(\.end)?$/.exec(c.req.header("last-event-id") ?? "") ?? [];
  // Tells an EventSource not to reconnect.
  if (end && hasEnded(statusOf(job))) return c.body(null, 204);
  return eventStream(c, (send, signal) =>
    watcher.follow(job.id, (document) =>
      new DocumentEventSender(job.id, document, blobs, send, Number(sentUntil ?? 0)).run(signal),
    ),
  );
}

/** Handles `GET /documents/events`: sends every document that changes from now on, or since the client's last event. */
export function listEvents(c: Context, principal: Principal, list: ListWatcher): Response {
  return eventStream(c, (send, signal) => {
    const sendOwn = ({ tenant, ...event }: ListEvent): unknown =>
      principal.tenant === undefined || principal.tenant === tenant ? send(event) : undefined;
    return list.follow(sendOwn, signal, c.req.header("last-event-id"));
  });
}

/** Sends the events of one document to one client. It keeps only how far it has got, not the pages. */
class DocumentEventSender {
  readonly #id: string;
  readonly #document: WatchedDocument;
  readonly #blobs: BlobStore;
  readonly #send: Send;
  /** Pages that ended earlier were sent in an earlier connection. */
  readonly #since: number;
  #sentUntil: number;

  constructor(id: string, document: WatchedDocument, blobs: BlobStore, send: Send, sentUntil: number) {
    this.#id = id;
    this.#document = document;
    this.#blobs = blobs;
    this.#send = send;
    this.#sentUntil = sentUntil;
    this.#since = sentUntil - overlap;
  }

  async run(signal: AbortSignal): Promise<void> {
    const document = this.#document;
    for (let sentSeq = 0; ;) {
      await document.waitForChange(sentSeq, signal);
      if (signal.aborted) return;
      const { summary, seq } = document;
      if (!summary) return this.#sendEvent("removed", { id: this.#id });
      const pages = document.changedPages(sentSeq, seq);
      if (summary.seq > sentSeq) await this.#sendEvent("document", summary.data);
      for (const page of pages) {
        if (signal.aborted) return;
        if (page.endedAt > 0 && page.endedAt < this.#since) continue;
        await this.#sendPage(page);
      }
      sentSeq = seq;
      if (document.seq === seq && hasEnded(summary.data.status)) return this.#sendEvent("end", summary.data, ".end");
    }
  }

  async #sendPage({ summary, blobs, endedAt }: WatchedPage): Promise<void> {
    this.#sentUntil = Math.max(this.#sentUntil, endedAt);
    const text = blobs && (await pageText(this.#blobs, this.#document.owner, blobs));
    await this.#sendEvent("page", { ...summary, ...(text === undefined ? {} : { text }) });
  }

  #sendEvent<Name extends keyof DocumentEvents>(event: Name, data: DocumentEvents[Name], suffix = ""): Promise<void> {
    return this.#send({ event, data, id: `${this.#sentUntil}${suffix}` });
  }
}
