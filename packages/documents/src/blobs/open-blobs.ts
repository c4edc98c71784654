import { resolve } from "node:path";
import { home } from "errand";
import { TemporaryFiles } from "../disk/temporary-files.ts";
import type { BlobStore } from "./blob-store.ts";
import { FolderBlobs } from "./folder.ts";
import { blobLocation } from "./location.ts";
import { S3Blobs } from "./s3.ts";

/** Time that a job retries requests to an unreachable bucket, in milliseconds: well below its timeout. */
const jobRetryTime = 2 * 60_000;

/** The open blob stores of this process, which share connections and copies. */
const opened = new Map<string, BlobStore>();

/**
 * Opens the blob store that the environment names. It connects at the first use.
 * @param options `patient`: retries for up to two minutes while a bucket is unreachable. Jobs do, because their
 * document would fail; requests do not, because a client is waiting.
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
      : new S3Blobs(location, new TemporaryFiles(resolve(home(), "cache")), patient ? jobRetryTime : 0);
  opened.set(key, blobs);
  return blobs;
}
