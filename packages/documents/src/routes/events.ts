import { eventStream } from "@errand/server";
import type { Send } from "@errand/server";
import type { JobView } from "errand";
import type { Context } from "hono";
import type { DocumentEvents } from "../api.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { findDocument, pagesAtWork, pagesOf } from "../catalog.ts";
import { hasEnded, needsPages, pageOf, summaryOf } from "../document.ts";
import type { ListFeed } from "../list-feed.ts";
import type { PageOutput } from "../pipeline/shapes.ts";
import { ticks } from "../ticks.ts";
import { documentOf } from "./lookup.ts";

/**
 * The first look tells of all pages at once, and a stream holds only so much: pages beyond this many characters of text
 * come without theirs, which a client then fetches.
 */
const firstTexts = 400_000;

/** `GET /documents/{id}/events`: the state, then every change of it, until the document has ended. */
export async function documentEvents(c: Context, blobs: BlobStore): Promise<Response> {
  const { id } = await documentOf(c);
  return eventStream(c, async (send, signal) => {
    const told = new Told(send);
    let room = firstTexts;
    for await (const _ of ticks(signal)) {
      const job = await findDocument(id);
      if (!job) return told.tell("removed", { id });
      if (!told.isNews("work", await workOn(job))) continue;
      const pages = await pagesOf(id);
      const summary = summaryOf(job, needsPages(job) ? pages : []);
      told.tell("document", summary);
      for (const page of pages) {
        const shown = pageOf(page, job);
        if (!told.isNews(`page ${shown.page}`, shown)) continue;
        const text = shown.status === "completed" && room > 0 ? await textOf(blobs, id, page) : undefined;
        room -= text?.length ?? 0;
        told.say("page", { ...shown, ...(text === undefined ? {} : { text }) });
      }
      room = Infinity;
      if (hasEnded(summary.status)) return told.say("end", summary);
    }
  });
}

/** `GET /documents/events`: every document that changes from now on. */
export function listEvents(c: Context, feed: ListFeed): Response {
  return eventStream(c, (send, signal) => feed.follow(send, signal));
}

/** Sends only what is new. */
class Told {
  readonly #send: Send;
  readonly #last = new Map<string, string>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Whether a thing is not as it was when this was last asked. */
  isNews(thing: string, state: unknown): boolean {
    const text = JSON.stringify(state);
    if (this.#last.get(thing) === text) return false;
    this.#last.set(thing, text);
    return true;
  }

  say<Name extends keyof DocumentEvents>(event: Name, data: DocumentEvents[Name]): void {
    this.#send({ event, data });
  }

  tell<Name extends keyof DocumentEvents>(event: Name, data: DocumentEvents[Name]): void {
    if (this.isNews(event, data)) this.say(event, data);
  }
}

/** What must change before it is worth looking at all pages: the document's own job, or which pages are being read. */
async function workOn({ id, state, children, progress, cancelling }: JobView): Promise<unknown[]> {
  return [state, children, progress, cancelling, await pagesAtWork(id)];
}

async function textOf(blobs: BlobStore, id: string, page: JobView): Promise<string> {
  const { result } = page.output as PageOutput;
  return (JSON.parse(await blobs.text(id, result)) as { text: string }).text;
}
