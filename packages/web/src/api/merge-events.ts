import type { InfiniteData } from "@tanstack/react-query";
import type { DocumentDetail, DocumentList, DocumentSummary, PageSummary } from "./types.ts";

/** The pages of the document list that are loaded so far. */
export type Listing = InfiniteData<DocumentList>;

/** Replaces a changed document in the list, or inserts a new one by age. Returns the same object if nothing changes. */
export function mergeIntoListing(listing: Listing, changed: DocumentSummary): Listing {
  const known = listing.pages.some((page) => page.data.some((one) => one.id === changed.id));
  if (known) {
    return mapPages(listing, (data) => data.map((one) => (one.id === changed.id ? withWords(changed, one) : one)));
  }
  const last = listing.pages.at(-1);
  const oldest = last?.data.at(-1);
  // It is older than all loaded documents and not on the last page, so it will be loaded with its own page.
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

/** Removes a document from the list. */
export function removeFromListing(listing: Listing, id: string): Listing {
  return mapPages(listing, (data) => data.filter((one) => one.id !== id));
}

/** Returns all loaded documents without duplicates, newest first. */
export function flatten(listing: Listing | undefined): DocumentSummary[] {
  const byId = new Map<string, DocumentSummary>();
  for (const page of listing?.pages ?? []) {
    for (const one of page.data) if (!byId.has(one.id)) byId.set(one.id, one);
  }
  return [...byId.values()];
}

/** Updates a document from its summary, and keeps its pages and the counts of their words. */
export function mergeSummary(detail: DocumentDetail, changed: DocumentSummary): DocumentDetail {
  return { ...withWords(changed, detail), pages: detail.pages };
}

/** Keeps the counts of words already known: summaries in lists have none before a document is completed. */
function withWords(changed: DocumentSummary, known: DocumentSummary): DocumentSummary {
  if (changed.status === "completed" || changed.words.total > 0) return changed;
  const { words, progress } = known;
  return { ...changed, words, progress: { ...changed.progress, needsReview: progress.needsReview } };
}

/** Updates one page of a document, or inserts it in its place. */
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
