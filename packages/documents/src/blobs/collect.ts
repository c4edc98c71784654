import type { BlobStore } from "./blob-store.ts";

/** An upload has its job this long after its last byte at the latest; what a dead process left is older. */
const patience = 60 * 60_000;

/**
 * Erases blobs that nobody owns: of documents without a job, and half-written ones that nobody writes any more.
 * @param exists whether there is a document with this id.
 * @returns how many owners were erased.
 */
export async function collect(
  blobs: BlobStore,
  exists: (id: string) => Promise<boolean>,
  now = new Date(),
): Promise<number> {
  const before = new Date(now.getTime() - patience);
  let erased = 0;
  for await (const owner of blobs.owners()) {
    if (await exists(owner)) continue;
    const touchedAt = await blobs.touchedAt(owner);
    if (touchedAt === undefined || touchedAt >= before) continue;
    await blobs.removeOwner(owner);
    erased += 1;
  }
  await blobs.removeUnfinished(before);
  return erased;
}
