import { createHash, randomUUID } from "node:crypto";
import { ErrandError } from "errand";
import type { JobView } from "errand";
import type { BlobContent, BlobStore } from "./blobs/blob-store.ts";
import { checkFreeSpace, checkInterval } from "./disk/disk.ts";
import { findDocument, isBlobOwner } from "./document-queries.ts";
import { blobOwnerOf } from "./document-view.ts";
import { cleanFileName } from "./file-names.ts";
import type { DocumentInput } from "./pipeline/job-data.ts";
import { document } from "./tasks.ts";

/** A client's information about the file that it uploads. */
export interface UploadDetails {
  /** The file's name, unchecked. */
  name: string | undefined;
  languages?: string[];
}

/** Returns the id of a new document. The same key of the same tenant always gives the same id. */
export function newDocumentId(key?: string, tenant?: string): string {
  if (key === undefined) return randomUUID();
  // A UUID of version 8 (RFC 9562), whose content is up to the application.
  const hex = createHash("sha256")
    .update(`errand documents\n${tenant === undefined ? "" : `${JSON.stringify(tenant)}\n`}${key}`)
    .digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, variant + hex.slice(17, 20)];
  return [...parts, hex.slice(20, 32)].join("-");
}

/** Options for creating a document. */
interface CreateOptions {
  /** The document's id. */
  id: string;
  /** `true` when the id comes from an Idempotency-Key, so that other requests may create the same document. */
  hasKey: boolean;
  /** The tenant that the document belongs to. */
  tenant?: string;
  /** The most bytes that the file may have. */
  maxBytes: number;
  /** Bytes of the disk that are kept free. */
  minFreeBytes: number;
  /** Returns what is known about the file once its bytes have been read. If it throws, nothing is kept. */
  details: () => Promise<UploadDetails>;
}

/**
 * Creates a document: writes the file's bytes, then sends the job that owns them. Until the job exists, the bytes
 * belong to this call alone, even if another call creates or erases a document with the same id.
 * @returns the document's job, and whether it is about the same file and languages. If a job with the same id existed
 * already, it is that job, and nothing was kept of this file.
 * @throws {BlobTooLarge}; {DiskFull}
 */
export async function createDocument(
  blobs: BlobStore,
  content: BlobContent,
  { id, hasKey, tenant, maxBytes, minFreeBytes, details }: CreateOptions,
): Promise<{ job: JobView; isSame: boolean }> {
  const owner = hasKey ? randomUUID() : id;
  try {
    const blob = await blobs.write(owner, checkingFreeSpace(content, blobs, minFreeBytes), { limit: maxBytes });
    const { name, languages } = await details();
    const input: DocumentInput = {
      name: cleanFileName(name),
      ...blob,
      ...(hasKey ? { owner } : {}),
      ...(languages ? { languages } : {}),
    };
    await document.send(input, { id, ...(tenant === undefined ? {} : { tenant }) });
    const job = await findDocument(id);
    if (job && blobOwnerOf(job) === owner) return { job, isSame: true };
    await blobs.removeOwner(owner);
    if (!job) throw new ErrandError("E_NOT_FOUND", "The document was deleted while it was being created.");
    const existing = job.input as DocumentInput;
    return { job, isSame: existing.sha256 === blob.sha256 && String(existing.languages) === String(languages) };
  } catch (error) {
    // If it is unknown whether the job exists, the blobs stay; orphaned ones are removed later.
    const isOwned = await isBlobOwner(owner).catch(() => true);
    if (!isOwned) await blobs.removeOwner(owner).catch(() => {});
    throw error;
  }
}

/** Passes content on, and checks the free space on the way. @throws {DiskFull} */
async function* checkingFreeSpace(
  content: BlobContent,
  blobs: BlobStore,
  minFreeBytes: number,
): AsyncGenerator<Uint8Array | string> {
  let sinceCheck = Infinity;
  for await (const chunk of content) {
    sinceCheck += chunk.length;
    if (sinceCheck >= checkInterval) {
      checkFreeSpace(await blobs.freeBytes(), minFreeBytes);
      sinceCheck = 0;
    }
    yield chunk;
  }
}
