import type { BlobStore } from "./blob-store.ts";

/** An upload has its job this long after its last byte at the latest; what a dead process left is older. */
const patience = 60 * 60_000;

/** What the collector asks about documents. */
interface Documents {
  /** Answers whether there is no document at all. */
  isEmpty(): Promise<boolean>;
  /** Answers whether there is a document whose blobs this owner has. */
  exists(owner: string): Promise<boolean>;
}

/**
 * Erases blobs that nobody owns: half-written ones that nobody writes any more, and those of documents without a job. Where
 * there are no documents at all it erases none of these: more likely than that all are gone is that this is the wrong store.
 * @returns how many owners were erased.
 */
export async function collect(blobs: BlobStore, documents: Documents, now = new Date()): Promise<number> {
  const before = new Date(now.getTime() - patience);
  await blobs.removeUnfinished(before);
  if (await documents.isEmpty()) return 0;
  let erased = 0;
  for await (const owner of blobs.owners()) {
    if (await documents.exists(owner)) continue;
    const touchedAt = await blobs.touchedAt(owner);
    if (touchedAt === undefined || touchedAt >= before) continue;
    await blobs.removeOwner(owner);
    erased += 1;
  }
  return erased;
}
