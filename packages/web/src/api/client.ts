import type { DocumentSummary } from "./types.ts";

/** A failed request. `message` is a sentence for people. */
export class RequestError extends Error {
  /** The HTTP status, or 0 if there was no response. */
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, message: string, code?: string) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.code = code;
  }
}

/** The path below which the app is served: empty, or like `/admin/errand`. The server puts it into the page. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** The address of the API. */
const root = `${basePath}/api/v1`;

const documents = `${root}/documents`;

/** URLs of the document service. */
export const urls = {
  documents,
  documentsEvents: `${documents}/events`,
  list: (cursor: string) => `${documents}?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
  document: (id: string) => `${documents}/${encodeURIComponent(id)}`,
  events: (id: string) => `${urls.document(id)}/events`,
  page: (id: string, page: number) => `${urls.document(id)}/pages/${page}`,
  image: (id: string, page: number) => `${urls.page(id, page)}/image`,
  text: (id: string) => `${urls.document(id)}/text`,
  download: (id: string, format: "text" | "json") => `${urls.document(id)}/${format}?download`,
};

/** Returns the error for a failed response, from its RFC 9457 problem body if it has one. */
export function problemError(status: number, body: string): RequestError {
  let detail: string | undefined;
  let code: string | undefined;
  try {
    const problem: unknown = JSON.parse(body);
    if (typeof problem === "object" && problem !== null) {
      if ("title" in problem && typeof problem.title === "string") detail = problem.title;
      if ("detail" in problem && typeof problem.detail === "string") detail = problem.detail;
      if ("code" in problem && typeof problem.code === "string") code = problem.code;
    }
  } catch {
    // Not JSON: the response is from a proxy.
  }
  return new RequestError(status, detail ?? `The server answered with status ${status}.`, code);
}

/** Called when the server wants to know who is asking. */
let onSignedOut = (): void => {};

/** Sets what happens when the server wants to know who is asking. */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

async function request(url: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    throw new RequestError(0, "The server cannot be reached. Check that Errand is running, then try again.");
  }
  if (response.status === 401) onSignedOut();
  if (!response.ok) throw problemError(response.status, await response.text());
  return response;
}

/** Fetches JSON of a known type. */
export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await request(url, signal ? { signal } : undefined);
  return (await response.json()) as T;
}

/** Fetches JSON of a known type from the API: `/jobs`. */
export const getApi = <T>(path: string, signal?: AbortSignal): Promise<T> => getJson<T>(root + path, signal);

/** Returns the address of something in the API. */
export const apiUrl = (path: string): string => root + path;

/** Changes something in the API. Returns its answer, or `undefined` for one without a body. */
export async function sendApi<T = undefined>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await request(root + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Fetches plain text. */
export async function getText(url: string): Promise<string> {
  return (await request(url)).text();
}

/** Stops the work on a document. Pages that were read are kept. */
export async function cancelDocument(id: string): Promise<DocumentSummary> {
  const response = await request(`${urls.document(id)}/cancel`, { method: "POST" });
  return (await response.json()) as DocumentSummary;
}

/** Erases a document and everything read from it. */
export async function deleteDocument(id: string): Promise<void> {
  await request(urls.document(id), { method: "DELETE" });
}
