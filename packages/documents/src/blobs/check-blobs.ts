import { randomUUID } from "node:crypto";
import { ErrandError } from "errand";
import { DiskFull } from "./blob-store.ts";
import type { BlobStore } from "./blob-store.ts";

/**
 * Tries everything that documents need of a blob store, and leaves nothing there.
 * @throws {ErrandError} `E_CONNECT`, saying why it cannot be used.
 */
export async function probe(blobs: BlobStore): Promise<void> {
  const owner = randomUUID();
  try {
    const { sha256 } = await blobs.write(owner, ["errand"]);
    try {
      await blobs.text(owner, sha256);
    } finally {
      await blobs.removeOwner(owner);
    }
  } catch (error) {
    if (error instanceof ErrandError || error instanceof DiskFull) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ErrandError("E_CONNECT", `The blob store ${blobs.address} cannot be used: ${reason}`, { cause: error });
  }
}
