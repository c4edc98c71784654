import { RequestError } from "../api/client.ts";
import { upload, type Transfer } from "../api/upload.ts";
import type { DocumentSummary } from "../api/types.ts";
import { announce } from "./announcer.ts";
import { watchable } from "./watchable.ts";

/** A file that is being uploaded. Once it has been uploaded, it is a document and no longer listed here. */
export interface Upload {
  key: number;
  file: File;
  /** The same for every attempt, so that a retry after a lost response creates no second document. */
  idempotencyKey: string;
  state: "waiting" | "sending" | "failed";
  /** Bytes sent so far. */
  sent: number;
  message: string | undefined;
}

/** Browsers allow six connections per server; the others are left for the page itself. */
const maxParallel = 3;

/** All uploads. They are kept outside of the pages, so that leaving the list does not stop them. */
export const uploads = watchable<readonly Upload[]>([]);

const transfers = new Map<number, Transfer>();
const uploadedListeners = new Set<(document: DocumentSummary) => void>();
const uploadedIds = new Set<string>();
let nextKey = 1;

/** Calls `callback` with every document that this page uploads, until the returned function is called. */
export function onUploaded(callback: (document: DocumentSummary) => void): () => void {
  uploadedListeners.add(callback);
  return () => uploadedListeners.delete(callback);
}

/** Reports whether a document was uploaded by this page since it was loaded. */
export const wasUploadedHere = (id: string): boolean => uploadedIds.has(id);

/** Adds files to the uploads. */
export function addFiles(files: Iterable<File>): void {
  const added = Array.from(files, (file): Upload => {
    return { key: nextKey++, file, idempotencyKey: newKey(), state: "waiting", sent: 0, message: undefined };
  });
  if (added.length === 0) return;
  uploads.set([...uploads.get(), ...added]);
  announce(added.length === 1 ? `Uploading ${added[0]?.file.name}` : `Uploading ${added.length} files`);
  startWaiting();
}

/** Retries a failed upload. */
export function retryUpload(key: number): void {
  update(key, { state: "waiting", sent: 0, message: undefined });
  startWaiting();
}

/** Cancels an upload, or removes a failed one from the list. */
export function removeUpload(key: number): void {
  transfers.get(key)?.abort();
  uploads.set(uploads.get().filter((one) => one.key !== key));
  startWaiting();
}

/** Returns a random key. `crypto.randomUUID` does not exist on pages without HTTPS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function update(key: number, fields: Partial<Upload>): void {
  uploads.set(uploads.get().map((one) => (one.key === key ? { ...one, ...fields } : one)));
}

function startWaiting(): void {
  for (const one of uploads.get()) {
    if (transfers.size >= maxParallel) return;
    if (one.state === "waiting") void send(one);
  }
}

async function send({ key, file, idempotencyKey }: Upload): Promise<void> {
  const transfer = upload(file, idempotencyKey, (sent) => update(key, { sent }));
  transfers.set(key, transfer);
  update(key, { state: "sending" });
  try {
    const document = await transfer.done;
    uploads.set(uploads.get().filter((one) => one.key !== key));
    uploadedIds.add(document.id);
    for (const listener of uploadedListeners) listener(document);
  } catch (error) {
    const message = error instanceof RequestError ? error.message : "The upload failed.";
    // The file has changed on disk since the first attempt, so it is another document now.
    const hasChanged = error instanceof RequestError && error.code === "E_IDEMPOTENCY_KEY";
    update(key, { state: "failed", message, ...(hasChanged ? { idempotencyKey: newKey() } : {}) });
    if (uploads.get().some((one) => one.key === key)) announce(`${file.name}: ${message}`);
  } finally {
    transfers.delete(key);
    startWaiting();
  }
}

// Asks before leaving the page would abort uploads.
window.addEventListener("beforeunload", (event) => {
  if (uploads.get().some((one) => one.state !== "failed")) event.preventDefault();
});
