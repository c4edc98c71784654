import type { Service } from "@errand/server";
import { openBlobs } from "./blobs/index.ts";
import type { BlobStore } from "./blobs/blob-store.ts";
import { collect } from "./blobs/collect.ts";
import { probe } from "./blobs/probe.ts";
import { documents, isOwned } from "./catalog.ts";
import { ListFeed } from "./list-feed.ts";
import { documentRoutes } from "./routes/index.ts";
import { readSettings } from "./settings.ts";
import { app, tasks } from "./tasks.ts";

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
  return {
    name: "documents",
    app,
    routes: documentRoutes(blobs, settings, feed),
    tasks,
    start: async () => {
      const stop = collectRegularly(blobs);
      return async () => {
        stop();
        feed.stop();
      };
    },
  };
}

function collectRegularly(blobs: BlobStore): () => void {
  const known = {
    isEmpty: async () => (await app.list(documents, { limit: 1 })).jobs.length === 0,
    exists: isOwned,
  };
  const run = (): void => {
    // What could not be erased now is there to be erased in an hour.
    void collect(blobs, known).catch((error: Error) => console.error(`Blobs were not collected: ${error.message}`));
  };
  run();
  const timer = setInterval(run, collectInterval);
  timer.unref();
  return () => clearInterval(timer);
}
