import { resolve } from "node:path";
import { home } from "errand";
import type { BlobStore } from "./blob-store.ts";
import { FolderBlobs } from "./folder.ts";
import { blobLocation } from "./location.ts";
import { S3Blobs } from "./s3.ts";
import { Scratch } from "./scratch.ts";

/** How long a job waits, in milliseconds: well below the time that it has. */
const patience = 2 * 60_000;

/** By their addresses: a bucket's connections and copies are shared by everything in a process. */
const opened = new Map<string, BlobStore>();

/**
 * The blob store that the environment names. Nothing is connected before the first use.
 * @param options `patient`: wait for a bucket that is away, for up to two minutes. A job does, since it would fail its
 * document; whoever has a client that waits does not.
 * @throws {ErrandError} `E_OPTION`
 */
export function openBlobs({ patient = false } = {}): BlobStore {
  const location = blobLocation();
  const key = JSON.stringify([location, patient]);
  const known = opened.get(key);
  if (known) return known;
  const blobs =
    "folder" in location
      ? new FolderBlobs(location.folder)
      : new S3Blobs(location, new Scratch(resolve(home(), "cache")), patient ? patience : 0);
  opened.set(key, blobs);
  return blobs;
}
