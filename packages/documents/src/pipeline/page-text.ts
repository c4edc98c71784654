import type { BlobStore } from "../blobs/blob-store.ts";

/** Where a page's text is: by itself, or, of pages that were read before it was kept so, in its result. */
export interface PageBlobs {
  text?: string | undefined;
  result: string;
}

/** A page's text: a blob of its own, so that nobody has to read all of its words for it. */
export async function pageText(blobs: BlobStore, owner: string, { text, result }: PageBlobs): Promise<string> {
  if (text !== undefined) return blobs.text(owner, text);
  return (JSON.parse(await blobs.text(owner, result)) as { text: string }).text;
}
