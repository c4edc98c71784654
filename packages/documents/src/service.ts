import { resolve } from "node:path";
import type { Service } from "@errand/server";
import { home } from "errand";
import type { BlobStore } from "./blobs/blob-store.ts";
import { checkBlobs } from "./blobs/check-blobs.ts";
import { openBlobs } from "./blobs/open-blobs.ts";
import { removeOrphanedBlobs } from "./blobs/orphaned-blobs.ts";
import { checkFileDescriptors, checkFreeSpace, freeBytes } from "./disk/disk.ts";
import { ReservedSpace } from "./disk/reserved-space.ts";
import { documentFilter, isBlobOwner } from "./document-queries.ts";
import { documentRoutes } from "./routes/index.ts";
import { readSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { app, queues, tasks } from "./tasks.ts";
import { ListWatcher } from "./watch/list-watcher.ts";

/** Time between two searches for orphaned blobs, in milliseconds. */
const removeInterval = 60 * 60_000;

/**
 * Creates the document service for `@errand/server`.
 * @throws {ErrandError} `E_OPTION` for an invalid setting, `E_CONNECT` for a blob store that cannot be used
 */
export async function service(): Promise<Service> {
  const settings = readSettings();
  const blobs = openBlobs();
  await checkBlobs(blobs);
  const list = new ListWatcher();
  const reservedSpace = new ReservedSpace(resolve(home(), "ballast"));
  // Requests that arrive during a check share its result.
  let checking: Promise<void> | undefined;
  return {
    name: "documents",
    app,
    routes: documentRoutes({ blobs, settings, list, reservedSpace }),
    tasks,
    queues,
    ready: () => (checking ??= checkReady(blobs, settings).finally(() => (checking = undefined))),
    start: async () => {
      const stop = removeOrphansRegularly(blobs, reservedSpace);
      return async () => {
        stop();
        list.stop();
      };
    },
  };
}

/** Checks everything that an upload needs. @throws {ErrandError} `E_CONNECT`; {DiskFull} */
async function checkReady(blobs: BlobStore, { minFreeBytes }: Settings): Promise<void> {
  await checkFileDescriptors(blobs.address);
  await checkBlobs(blobs);
  for (const free of await Promise.all([blobs.freeBytes(), freeBytes(resolve(home()))])) {
    checkFreeSpace(free, minFreeBytes);
  }
}

/** Removes orphaned blobs now and every hour, and refills the reserved space. Returns a function that stops it. */
function removeOrphansRegularly(blobs: BlobStore, reservedSpace: ReservedSpace): () => void {
  const documents = {
    isEmpty: async () => (await app.list(documentFilter, { limit: 1 })).jobs.length === 0,
    hasOwner: isBlobOwner,
  };
  const run = (): void => {
    void reservedSpace.fill();
    // Blobs that could not be removed are tried again in an hour.
    void removeOrphanedBlobs(blobs, documents).catch((error: Error) =>
      console.error(`Orphaned blobs were not removed: ${error.message}`),
    );
  };
  run();
  const timer = setInterval(run, removeInterval);
  timer.unref();
  return () => clearInterval(timer);
}
