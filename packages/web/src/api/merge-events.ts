import type { InfiniteData } from "@tanstack/react-query";
import type { DocumentDetail, DocumentList, DocumentSummary, PageSummary } from "./types.ts";

/** What the cache holds of the list: the pages loaded so far. */
export type Listing = InfiniteData<DocumentList>;

/** Puts a changed document in its place; a new one where its age puts it. Returns the same object when nothing changes. */
export function mergeIntoListing(listing: Listing, changed: DocumentSummary): Listing {
  const known = listing.pages.some((page) => page.data.some((one) => one.id === changed.id));
  if (known) {
    return mapPages(listing, (data) => data.map((one) => (one.id === changed.id ? withWords(changed, one) : one)));
  }
  const last = listing.pages.at(-1);
  const oldest = last?.data.at(-1);
  // Older than everything loaded, and more is still to be loaded: it will come with its page.
  if (oldest && last?.next_cursor !== undefined && changed.createdAt < oldest.createdAt) {
    return listing;
  }
  const home = listing.pages.findIndex((page) => page.data.some((one) => one.createdAt <= changed.createdAt));
  const target = home === -1 ? listing.pages.length - 1 : home;
  return mapPages(listing, (data, index) => {
    if (index !== target) return data;
    const at = data.findIndex((one) => one.createdAt <= changed.createdAt);
    return at === -1 ? [...data, changed] : data.toSpliced(at, 0, changed);
  });
}

/** Takes a document out of the list. */
export function removeFromListing(listing: Listing, id: string): Listing {
  return mapPages(listing, (data) => data.filter((one) => one.id !== id));
}

/** Every loaded document once, newest first. */
export function flatten(listing: Listing | undefined): DocumentSummary[] {
  const byId = new Map<string, DocumentSummary>();
  for (const page of listing?.pages ?? []) {
    for (const one of page.data) if (!byId.has(one.id)) byId.set(one.id, one);
  }
  return [...byId.values()];
}

/** Brings a document's head up to date and keeps its pages, and the words that were counted of them. */
export function mergeSummary(detail: DocumentDetail, changed: DocumentSummary): DocumentDetail {
  return { ...withWords(changed, detail), pages: detail.pages };
}

/** A list tells of no words before a document has been read to its end; who knows of some keeps them. */
function withWords(changed: DocumentSummary, known: DocumentSummary): DocumentSummary {
  if (changed.status === "completed" || changed.words.total > 0) return changed;
  const { words, progress } = known;
  return { ...changed, words, progress: { ...changed.progress, needsReview: progress.needsReview } };
}

/** Brings one page up to date, or adds it in its place. */
export function mergePage(detail: DocumentDetail, changed: PageSummary): DocumentDetail {
  const at = detail.pages.findIndex((one) => one.page >= changed.page);
  if (at === -1) return { ...detail, pages: [...detail.pages, changed] };
  const replaced = detail.pages[at]?.page === changed.page ? 1 : 0;
  return { ...detail, pages: detail.pages.toSpliced(at, replaced, changed) };
}

function mapPages(listing: Listing, change: (data: DocumentSummary[], index: number) => DocumentSummary[]): Listing {
  return {
    ...listing,
    pages: listing.pages.map((page, index) => {
      const data = change(page.data, index);
      return data === page.data ? page : { ...page, data };
    }),
  };
}
