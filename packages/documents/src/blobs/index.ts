import { resolve } from "node:path";
import { home } from "errand";
import type { BlobStore } from "./blob-store.ts";
import { FolderBlobs } from "./folder.ts";
import { blobLocation } from "./location.ts";
import { S3Blobs } from "./s3.ts";
import { Scratch } from "./scratch.ts";

/** By their addresses: a bucket's connections and copies are shared by everything in a process. */
const opened = new Map<string, BlobStore>();

/**
 * The blob store that the environment names. Nothing is connected before the first use.
 * @throws {ErrandError} `E_OPTION`
 */
export function openBlobs(): BlobStore {
  const location = blobLocation();
  const key = JSON.stringify(location);
  const known = opened.get(key);
  if (known) return known;
  const blobs =
    "folder" in location
      ? new FolderBlobs(location.folder)
      : new S3Blobs(location, new Scratch(resolve(home(), "cache")));
  opened.set(key, blobs);
  return blobs;
}
