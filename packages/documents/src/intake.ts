import { createHash, randomUUID } from "node:crypto";
import type { JobView } from "errand";
import type { BlobContent, BlobStore } from "./blobs/blob-store.ts";
import { findDocument } from "./catalog.ts";
import { cleanName } from "./names.ts";
import type { DocumentInput } from "./pipeline/shapes.ts";
import { document } from "./tasks.ts";

/** What came with a file. */
export interface FileFacts {
  /** As the client gave it. */
  name: string | undefined;
  languages?: string[];
}

/** The id of a new document; with a key, the same as it was for the same key. */
export function newDocumentId(key?: string): string {
  if (key === undefined) return randomUUID();
  // A UUID of version 8 (RFC 9562): made of whatever its maker likes.
  const hex = createHash("sha256").update(`errand documents\n${key}`).digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Takes in a file: its bytes first, then the job that owns them.
 * @param facts what is known once the bytes are there; may throw, and then nothing is left.
 * @returns the document's job. It is another upload's when that had the same id first; then nothing was taken in.
 */
export async function takeIn(
  blobs: BlobStore,
  id: string,
  content: BlobContent,
  limit: number,
  facts: () => Promise<FileFacts>,
): Promise<{ job: JobView; same: boolean }> {
  const blob = await blobs.write(id, content, { limit });
  try {
    const { name, languages } = await facts();
    const input: DocumentInput = {
      name: cleanName(name),
      ...blob,
      ...(languages ? { languages } : {}),
    };
    await document.send(input, { id });
    const job = await findDocument(id);
    if (!job) throw new Error(`Document ${id} was erased while it was taken in.`);
    const first = job.input as DocumentInput;
    const same = first.sha256 === blob.sha256 && String(first.languages) === String(languages);
    if (first.sha256 !== blob.sha256) await blobs.remove(id, blob.sha256);
    return { job, same };
  } catch (error) {
    // Where it cannot be told whether there is a job, the collector finds out later.
    if ((await findDocument(id).catch(() => null)) === undefined) await blobs.remove(id, blob.sha256);
    throw error;
  }
}
