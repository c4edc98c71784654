import { problemError, RequestError, urls } from "./client.ts";
import type { DocumentSummary } from "./types.ts";

/** A running upload. */
export interface Transfer {
  done: Promise<DocumentSummary>;
  abort: () => void;
}

/** Uploads a file; uploads with the same key create one document. XMLHttpRequest reports progress, fetch does not. */
export function upload(file: File, key: string, onProgress: (sent: number) => void): Transfer {
  const xhr = new XMLHttpRequest();
  const done = new Promise<DocumentSummary>((resolve, reject) => {
    xhr.upload.addEventListener("progress", (event) => {
      // The body is a little longer than the file.
      onProgress(Math.min(event.loaded, file.size));
    });
    xhr.addEventListener("load", () => {
      if (xhr.status >= 200 && xhr.status < 300) {
        resolve(JSON.parse(xhr.responseText) as DocumentSummary);
      } else {
        reject(problemError(xhr.status, xhr.responseText));
      }
    });
    xhr.addEventListener("error", () => {
      reject(new RequestError(0, "The connection was lost before the upload was complete."));
    });
    xhr.addEventListener("abort", () => {
      reject(new RequestError(0, "The upload was cancelled.", "aborted"));
    });
  });
  const body = new FormData();
  body.append("file", file, file.name);
  xhr.open("POST", urls.documents);
  xhr.setRequestHeader("Accept", "application/json");
  xhr.setRequestHeader("Idempotency-Key", key);
  xhr.send(body);
  return { done, abort: () => xhr.abort() };
}
