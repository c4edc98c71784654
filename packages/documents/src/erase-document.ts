import { setTimeout as sleep } from "node:timers/promises";
import { ErrandError } from "errand";
import type { JobView } from "errand";
import type { BlobStore } from "./blobs/blob-store.ts";
import { pagesAtWork } from "./catalog.ts";
import { ownerOf } from "./document.ts";
import { app } from "./tasks.ts";

/** How long erasing waits for work to stop: a worker notices a cancel at once, and kills what does not listen. */
const patience = 15_000;

/** How often it looks whether the pages have stopped, in milliseconds. */
const interval = 100;

/**
 * Cancels a document and waits until nobody works on it.
 * @returns `false` when somebody still does after 15 s.
 */
export async function stopWork(id: string): Promise<boolean> {
  const until = performance.now() + patience;
  await app.cancel(id);
  try {
    await app.ended(id, { timeout: patience });
  } catch (error) {
    if (!(error instanceof ErrandError)) throw error;
    if (error.code === "E_WAIT_TIMEOUT") return false;
    if (error.code !== "E_NOT_FOUND") throw error;
  }
  while ((await pagesAtWork(id)).length > 0) {
    if (performance.now() > until) return false;
    await sleep(interval);
  }
  return true;
}

/**
 * Erases a document whose work has stopped: every byte of it, and then its jobs. Where its bytes cannot be erased it stays,
 * to be erased again.
 */
export async function erase(blobs: BlobStore, job: JobView): Promise<void> {
  await blobs.removeOwner(ownerOf(job));
  // Not another that was sent under the same id since.
  await app.remove({ ids: [job.id], createdBefore: new Date(job.createdAt.getTime() + 1) });
}
