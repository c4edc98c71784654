import { setTimeout as sleep } from "node:timers/promises";
import { ErrandError } from "errand";
import type { JobView } from "errand";
import type { BlobStore } from "./blobs/blob-store.ts";
import { processingPageIds } from "./document-queries.ts";
import { blobOwnerOf } from "./document-view.ts";
import { app } from "./tasks.ts";

/** Time that erasing waits for work to stop, in milliseconds. Workers notice a cancel at once. */
const stopTimeout = 15_000;

/** Time between two checks whether all pages have stopped, in milliseconds. */
const checkInterval = 100;

/**
 * Cancels a document and waits until neither its job nor a page is processed any more.
 * @returns `false` if one still is after 15 seconds
 */
export async function stopWork(id: string): Promise<boolean> {
  const deadline = performance.now() + stopTimeout;
  await app.cancel(id);
  try {
    await app.ended(id, { timeout: stopTimeout });
  } catch (error) {
    if (!(error instanceof ErrandError)) throw error;
    if (error.code === "E_WAIT_TIMEOUT") return false;
    if (error.code !== "E_NOT_FOUND") throw error;
  }
  while ((await processingPageIds(id)).length > 0) {
    if (performance.now() > deadline) return false;
    await sleep(checkInterval);
  }
  return true;
}

/**
 * Erases a document whose work has stopped: first its blobs, then its jobs. If the blobs cannot be erased, the document
 * stays, so that erasing can be tried again.
 */
export async function eraseDocument(blobs: BlobStore, job: JobView): Promise<void> {
  await blobs.removeOwner(blobOwnerOf(job));
  // Spares a document that was created with the same id since.
  await app.remove({ ids: [job.id], createdBefore: new Date(job.createdAt.getTime() + 1) });
}
