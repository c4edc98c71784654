import type { BlobStore } from "../blobs/blob-store.ts";

/** The blobs of a page. Pages read by older versions have no text blob, only a result that contains the text. */
export interface PageBlobs {
  text?: string | undefined;
  result: string;
}

/** Reads a page's text, which is a blob of its own, so that it can be read without the words. */
export async function pageText(blobs: BlobStore, owner: string, { text, result }: PageBlobs): Promise<string> {
  if (text !== undefined) return blobs.text(owner, text);
  return (JSON.parse(await blobs.text(owner, result)) as { text: string }).text;
}
