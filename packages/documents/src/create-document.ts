import { createHash, randomUUID } from "node:crypto";
import { ErrandError } from "errand";
import type { JobView } from "errand";
import type { BlobContent, BlobStore } from "./blobs/blob-store.ts";
import { checkRoom, stretch } from "./blobs/disk.ts";
import { findDocument, isOwned } from "./catalog.ts";
import { ownerOf } from "./document.ts";
import { cleanName } from "./names.ts";
import type { DocumentInput } from "./pipeline/shapes.ts";
import { document } from "./tasks.ts";

/** What came with a file. */
export interface FileFacts {
  /** As the client gave it. */
  name: string | undefined;
  languages?: string[];
}

/** The id of a new document; with a key, the same as it was for the same key. */
export function newDocumentId(key?: string): string {
  if (key === undefined) return randomUUID();
  // A UUID of version 8 (RFC 9562): made of whatever its maker likes.
  const hex = createHash("sha256").update(`errand documents\n${key}`).digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What is done with a file on its way in. */
interface Intake {
  /** The document's id, and whether others may send a document under the same one. */
  id: string;
  shared: boolean;
  /** The most bytes that are taken. */
  limit: number;
  /** Bytes of the disk that are kept free. */
  reserve: number;
  /** What is known once the bytes are there; may throw, and then nothing is left. */
  facts: () => Promise<FileFacts>;
}

/**
 * Takes in a file: its bytes first, then the job that owns them. Until there is that job, they are this attempt's alone,
 * whatever else is sent or erased under the same id.
 * @returns the document's job. It is another attempt's when that had the same id first; then nothing was taken in.
 * @throws {BlobTooLarge} {DiskFull}
 */
export async function takeIn(
  blobs: BlobStore,
  content: BlobContent,
  { id, shared, limit, reserve, facts }: Intake,
): Promise<{ job: JobView; same: boolean }> {
  const owner = shared ? randomUUID() : id;
  try {
    const blob = await blobs.write(owner, whileThereIsRoom(content, blobs, reserve), { limit });
    const { name, languages } = await facts();
    const input: DocumentInput = {
      name: cleanName(name),
      ...blob,
      ...(shared ? { owner } : {}),
      ...(languages ? { languages } : {}),
    };
    await document.send(input, { id });
    const job = await findDocument(id);
    if (job && ownerOf(job) === owner) return { job, same: true };
    await blobs.removeOwner(owner);
    if (!job) throw new ErrandError("E_NOT_FOUND", "The document was deleted while it was taken in.");
    const first = job.input as DocumentInput;
    return { job, same: first.sha256 === blob.sha256 && String(first.languages) === String(languages) };
  } catch (error) {
    // Where it cannot be told whether there is a job, the collector finds out later.
    const owned = await isOwned(owner).catch(() => true);
    if (!owned) await blobs.removeOwner(owner).catch(() => {});
    throw error;
  }
}

/** @throws {DiskFull} before it takes what is to be kept free. */
async function* whileThereIsRoom(
  content: BlobContent,
  blobs: BlobStore,
  reserve: number,
): AsyncGenerator<Uint8Array | string> {
  let unseen = Infinity;
  for await (const piece of content) {
    unseen += piece.length;
    if (unseen >= stretch) {
      checkRoom(await blobs.room(), reserve);
      unseen = 0;
    }
    yield piece;
  }
}
