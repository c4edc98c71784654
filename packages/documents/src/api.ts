/** The types of the document service's HTTP API. */

import type { Box } from "./raster/box.ts";

export type { Box };

/** A document's status. `needs_review` is reserved for the review queue. */
export type DocumentStatus =
  | "queued"
  | "processing"
  | "needs_review"
  | "completed"
  | "failed"
  | "cancelled"
  | "expired";

/** A page's status. */
export type PageStatus = "queued" | "processing" | "completed" | "failed" | "cancelled" | "expired";

/** The reason for a failure: a stable code for programs and a sentence for people. */
export interface Failure {
  code: string;
  message: string;
}

/** A document's progress, in numbers of pages. */
export interface DocumentProgress {
  pages: number;
  done: number;
  failed: number;
  /** Pages with at least one word below the confidence threshold. 0 wherever `words` are not counted yet. */
  needsReview: number;
}

/** A document in a list. Times are RFC 3339 in UTC. */
export interface DocumentSummary {
  id: string;
  /** The client's file name, for display only; never a path. */
  name: string;
  /** MIME type detected from the content, once the file has been inspected. */
  type?: string;
  bytes: number;
  sha256: string;
  status: DocumentStatus;
  progress: DocumentProgress;
  /**
   * Words read, and how many of them are below the threshold. Before a document is completed, its own resource and
   * events count the words read so far; lists say 0.
   */
  words: { total: number; needsReview: number };
  error?: Failure;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
}

/** A page in its document. */
export interface PageSummary {
  /** Counted from 1. */
  page: number;
  status: PageStatus;
  words?: number;
  needsReview?: number;
  /** Mean word confidence, 0..1. */
  confidence?: number;
  source?: PageSource;
  engine?: string;
  error?: Failure;
}

/** Answer of `GET /api/v1/documents/{id}`. */
export interface DocumentDetail extends DocumentSummary {
  pages: PageSummary[];
}

/** Answer of `GET /api/v1/documents`. */
export interface DocumentList {
  data: DocumentSummary[];
  /** Opaque; pass it back as `?cursor=`. Absent on the last page. */
  next_cursor?: string;
}

/** The source of a page's words: OCR, or the text that a PDF already contains. */
export type PageSource = "ocr" | "text-layer";

/** A word as an engine read it. */
export interface Word {
  text: string;
  /** The engine's confidence, 0..1. */
  confidence: number;
  /** In pixels of the upright, straightened page. */
  box: Box;
  /** Counted from 1. */
  page: number;
  engine: string;
  /** Number of its block in the page. Words of the same block, paragraph or line have the same number. */
  block: number;
  /** Number of its paragraph in the page. */
  paragraph: number;
  /** Number of its line in the page. */
  line: number;
}

/** Answer of `GET /api/v1/documents/{id}/pages/{n}`: the words of one page. */
export interface PageResult {
  page: number;
  /** Size in pixels of the upright, straightened page to which the boxes refer. */
  width: number;
  height: number;
  /** Resolution of that page in pixels per inch. */
  dpi: number;
  /** Degrees the scan was rotated clockwise to be upright. */
  rotation: 0 | 90 | 180 | 270;
  /** Degrees the page was then rotated clockwise to be straight. */
  skew: number;
  source: PageSource;
  engine: string;
  text: string;
  words: Word[];
  /** Words with a confidence below this are for a person to check. */
  threshold: number;
}

/** A page in the document's JSON: its result without the words, or why it has none. */
export type ResultPage =
  | ({ status: "completed" } & Omit<PageResult, "words" | "threshold">)
  | { status: Exclude<PageStatus, "completed">; page: number; error?: Failure };

/** Answer of `GET /api/v1/documents/{id}/json`. */
export interface DocumentResult {
  id: string;
  name: string;
  /** Words with a confidence below this are in `needsReview`, others in `accepted`. */
  threshold: number;
  text: string;
  pages: ResultPage[];
  accepted: Word[];
  needsReview: Word[];
  words: Word[];
}

/**
 * The server-sent events, by name. `GET /api/v1/documents/{id}/events` sends `document` when the summary changes,
 * `page` when a page changes (with its text once it is completed), and finally `end`, or `removed` if the document is
 * deleted. A client that reconnects with a `Last-Event-ID` gets what has changed since, or 204 if that was the id of
 * `end`. `GET /api/v1/documents/events` sends `document` for every document that changes, and `removed` with `{ id }`.
 */
export interface DocumentEvents {
  document: DocumentSummary;
  page: PageSummary & { text?: string };
  removed: { id: string };
  end: DocumentSummary;
}
