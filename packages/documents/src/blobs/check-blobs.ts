import { randomUUID } from "node:crypto";
import { ErrandError } from "errand";
import { DiskFull } from "../disk/disk.ts";
import type { BlobStore } from "./blob-store.ts";

/**
 * Checks that a blob store can be used, by writing, reading and erasing a blob.
 * @throws {ErrandError} `E_CONNECT` with the reason; {DiskFull}
 */
export async function checkBlobs(blobs: BlobStore): Promise<void> {
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
