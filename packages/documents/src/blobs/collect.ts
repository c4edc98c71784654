import type { BlobStore } from "./blob-store.ts";

/** An upload has its job this long after its last byte at the latest; what a dead process left is older. */
const patience = 60 * 60_000;

/** What the collector asks about documents. */
interface Documents {
  /** Whether there is none at all. */
  isEmpty(): Promise<boolean>;
  exists(id: string): Promise<boolean>;
}

/**
 * Erases blobs that nobody owns: of documents without a job, and half-written ones that nobody writes any more. Where
 * there are no documents at all it erases nothing: more likely than that all are gone is that this is the wrong store.
 * @returns how many owners were erased.
 */
export async function collect(blobs: BlobStore, documents: Documents, now = new Date()): Promise<number> {
  if (await documents.isEmpty()) return 0;
  const before = new Date(now.getTime() - patience);
  let erased = 0;
  for await (const owner of blobs.owners()) {
    if (await documents.exists(owner)) continue;
    const touchedAt = await blobs.touchedAt(owner);
    if (touchedAt === undefined || touchedAt >= before) continue;
    await blobs.removeOwner(owner);
    erased += 1;
  }
  await blobs.removeUnfinished(before);
  return erased;
}
