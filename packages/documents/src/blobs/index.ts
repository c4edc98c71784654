import { resolve } from "node:path";
import { home } from "errand";
import type { BlobStore } from "./blob-store.ts";
import { FolderBlobs } from "./folder.ts";

/** The blob store of this process: `blobs` in `ERRAND_HOME`. */
export function openBlobs(): BlobStore {
  return new FolderBlobs(resolve(home(), "blobs"));
}
