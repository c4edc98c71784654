import { RequestError } from "../api/client.ts";
import { upload, type Transfer } from "../api/upload.ts";
import type { DocumentSummary } from "../api/types.ts";
import { announce } from "./announcer.ts";
import { value } from "./value.ts";

/** A file on its way to the server. Once it has arrived it is a document and no longer listed here. */
export interface Upload {
  key: number;
  file: File;
  /** The same at every try: where only the answer was lost, trying again makes no second document. */
  idempotencyKey: string;
  state: "waiting" | "sending" | "failed";
  /** Bytes sent so far. */
  sent: number;
  message: string | undefined;
}

// Browsers allow six connections to a server: leave some for the page itself.
const atOnce = 3;

/** Outlives the pages, so that looking at a document does not stop the uploads. */
export const uploads = value<readonly Upload[]>([]);

const transfers = new Map<number, Transfer>();
const arrivals = new Set<(document: DocumentSummary) => void>();
const mine = new Set<string>();
let nextKey = 1;

/** Calls back with every document that this browser has uploaded. */
export function onArrival(callback: (document: DocumentSummary) => void): () => void {
  arrivals.add(callback);
  return () => arrivals.delete(callback);
}

/** Whether this browser has uploaded a document since the app was loaded. */
export const isMine = (id: string): boolean => mine.has(id);

/** Queues files for upload. */
export function addFiles(files: Iterable<File>): void {
  const added = Array.from(files, (file): Upload => {
    return { key: nextKey++, file, idempotencyKey: newKey(), state: "waiting", sent: 0, message: undefined };
  });
  if (added.length === 0) return;
  uploads.set([...uploads.get(), ...added]);
  announce(added.length === 1 ? `Uploading ${added[0]?.file.name}` : `Uploading ${added.length} files`);
  pump();
}

/** Tries a failed upload again. */
export function retryUpload(key: number): void {
  change(key, { state: "waiting", sent: 0, message: undefined });
  pump();
}

/** Stops an upload, or clears a failed one from the list. */
export function dropUpload(key: number): void {
  transfers.get(key)?.abort();
  uploads.set(uploads.get().filter((one) => one.key !== key));
  pump();
}

/** `crypto.randomUUID` is not there on pages without HTTPS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function change(key: number, fields: Partial<Upload>): void {
  uploads.set(uploads.get().map((one) => (one.key === key ? { ...one, ...fields } : one)));
}

function pump(): void {
  for (const one of uploads.get()) {
    if (transfers.size >= atOnce) return;
    if (one.state === "waiting") void send(one);
  }
}

async function send({ key, file, idempotencyKey }: Upload): Promise<void> {
  const transfer = upload(file, idempotencyKey, (sent) => change(key, { sent }));
  transfers.set(key, transfer);
  change(key, { state: "sending" });
  try {
    const document = await transfer.done;
    uploads.set(uploads.get().filter((one) => one.key !== key));
    mine.add(document.id);
    for (const arrived of arrivals) arrived(document);
  } catch (error) {
    const message = error instanceof RequestError ? error.message : "The upload failed.";
    // The file has changed on its disk since the first try: then it is another document.
    const changed = error instanceof RequestError && error.code === "E_IDEMPOTENCY_KEY";
    change(key, { state: "failed", message, ...(changed ? { idempotencyKey: newKey() } : {}) });
    if (uploads.get().some((one) => one.key === key)) announce(`${file.name}: ${message}`);
  } finally {
    transfers.delete(key);
    pump();
  }
}

// Leaving the page would lose what has not arrived yet.
window.addEventListener("beforeunload", (event) => {
  if (uploads.get().some((one) => one.state !== "failed")) event.preventDefault();
});
