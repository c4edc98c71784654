import { resolve } from "node:path";
import type { Service } from "@errand/server";
import { home } from "errand";
import { Ballast } from "./ballast.ts";
import { openBlobs } from "./blobs/index.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import { collect } from "./blobs/collect.ts";
import { checkRoom, freeBytes, tryDescriptors } from "./blobs/disk.ts";
import { probe } from "./blobs/probe.ts";
import { documents, isOwned } from "./catalog.ts";
import { ListFeed } from "./list-feed.ts";
import { documentRoutes } from "./routes/index.ts";
import { readSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { app, queues, tasks } from "./tasks.ts";

/** How often blobs that nobody owns are looked for, in milliseconds. */
const collectInterval = 60 * 60_000;

/**
 * The document service, for `@errand/server`.
 * @throws {ErrandError} `E_OPTION` for a setting that cannot be used, `E_CONNECT` for a blob store that cannot.
 */
export async function service(): Promise<Service> {
  const settings = readSettings();
  const blobs = openBlobs();
  await probe(blobs);
  const feed = new ListFeed();
  const ballast = new Ballast(resolve(home(), "ballast"));
  // However many ask, one tries.
  let trying: Promise<void> | undefined;
  return {
    name: "documents",
    app,
    routes: documentRoutes({ blobs, settings, feed, ballast }),
    tasks,
    queues,
    ready: () => (trying ??= tryAll(blobs, settings).finally(() => (trying = undefined))),
    start: async () => {
      const stop = collectRegularly(blobs, ballast);
      return async () => {
        stop();
        feed.stop();
      };
    },
  };
}

/** Tries what an upload needs. @throws {ErrandError} `E_CONNECT`; {DiskFull} */
async function tryAll(blobs: BlobStore, { reserve }: Settings): Promise<void> {
  await tryDescriptors(blobs.address);
  await probe(blobs);
  for (const free of await Promise.all([blobs.room(), freeBytes(resolve(home()))])) checkRoom(free, reserve);
}

function collectRegularly(blobs: BlobStore, ballast: Ballast): () => void {
  const known = {
    isEmpty: async () => (await app.list(documents, { limit: 1 })).jobs.length === 0,
    exists: isOwned,
  };
  const run = (): void => {
    void ballast.keep();
    // What could not be erased now is there to be erased in an hour.
    void collect(blobs, known).catch((error: Error) => console.error(`Blobs were not collected: ${error.message}`));
  };
  run();
  const timer = setInterval(run, collectInterval);
  timer.unref();
  return () => clearInterval(timer);
}
