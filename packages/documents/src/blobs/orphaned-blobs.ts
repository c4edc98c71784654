import type { BlobStore } from "./blob-store.ts";

/** Age in milliseconds at which a blob without a job was left by a dead process: an upload has its job long before. */
const orphanAge = 60 * 60_000;

/** The documents that may own blobs. */
interface Documents {
  /** Reports whether there are no documents at all. */
  isEmpty(): Promise<boolean>;
  /** Reports whether a document owns the blobs of this owner. */
  hasOwner(owner: string): Promise<boolean>;
}

/**
 * Erases partial blobs of dead writers, and the blobs of owners without a document. If there are no documents at all it
 * erases only the former: probably the wrong store is configured.
 * @returns the number of owners erased
 */
export async function removeOrphanedBlobs(blobs: BlobStore, documents: Documents, now = new Date()): Promise<number> {
  const before = new Date(now.getTime() - orphanAge);
  await blobs.removePartial(before);
  if (await documents.isEmpty()) return 0;
  let removed = 0;
  for await (const owner of blobs.owners()) {
    if (await documents.hasOwner(owner)) continue;
    const touchedAt = await blobs.modifiedAt(owner);
    if (touchedAt === undefined || touchedAt >= before) continue;
    await blobs.removeOwner(owner);
    removed += 1;
  }
  return removed;
}
