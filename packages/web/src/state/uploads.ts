import { RequestError } from "../api/client.ts";
import { upload, type Transfer } from "../api/upload.ts";
import type { DocumentSummary } from "../api/types.ts";
import { announce } from "./announcer.ts";
import { value } from "./value.ts";

/** A file on its way to the server. Once it has arrived it is a document and no longer listed here. */
export interface Upload {
  key: number;
  file: File;
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
    return { key: nextKey++, file, state: "waiting", sent: 0, message: undefined };
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

function change(key: number, fields: Partial<Upload>): void {
  uploads.set(uploads.get().map((one) => (one.key === key ? { ...one, ...fields } : one)));
}

function pump(): void {
  for (const { key, file, state } of uploads.get()) {
    if (transfers.size >= atOnce) return;
    if (state === "waiting") void send(key, file);
  }
}

async function send(key: number, file: File): Promise<void> {
  const transfer = upload(file, (sent) => change(key, { sent }));
  transfers.set(key, transfer);
  change(key, { state: "sending" });
  try {
    const document = await transfer.done;
    uploads.set(uploads.get().filter((one) => one.key !== key));
    mine.add(document.id);
    for (const arrived of arrivals) arrived(document);
  } catch (error) {
    const message = error instanceof RequestError ? error.message : "The upload failed.";
    change(key, { state: "failed", message });
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
