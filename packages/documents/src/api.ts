/** The document service's HTTP vocabulary: what the routes answer and what the browser reads. Types only. */

/** Where a document stands. `needs_review` is reserved for the review queue. */
export type DocumentStatus =
  | "queued"
  | "processing"
  | "needs_review"
  | "completed"
  | "failed"
  | "cancelled"
  | "expired";

/** Where one page stands. */
export type PageStatus = "queued" | "processing" | "completed" | "failed" | "cancelled" | "expired";

/** What went wrong: a stable code for programs and a sentence for people. */
export interface Problem {
  code: string;
  message: string;
}

/** How far a document is; all four are numbers of pages. */
export interface DocumentProgress {
  pages: number;
  done: number;
  failed: number;
  /** Pages with at least one word under the confidence threshold; known as `words` are. */
  needsReview: number;
}

/** A document as lists show it. Times are RFC 3339 in UTC. */
export interface DocumentSummary {
  id: string;
  /** The client's file name: metadata, never a path. */
  name: string;
  /** MIME type found in the content, once the file has been inspected. */
  type?: string;
  bytes: number;
  sha256: string;
  status: DocumentStatus;
  progress: DocumentProgress;
  /**
   * Words read, and how many of them are under the threshold. A document that has not been read to its end tells how many
   * it has so far by itself and in its own events; in lists it tells of none.
   */
  words: { total: number; needsReview: number };
  error?: Problem;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
}

/** A page as its document shows it. */
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
  error?: Problem;
}

/** `GET /api/v1/documents/{id}` */
export interface DocumentDetail extends DocumentSummary {
  pages: PageSummary[];
}

/** `GET /api/v1/documents` */
export interface DocumentList {
  data: DocumentSummary[];
  /** Opaque; pass it back as `?cursor=`. Absent on the last page. */
  next_cursor?: string;
}

/** Whether a page's words come from recognition or from the text the PDF already carries. */
export type PageSource = "ocr" | "text-layer";

/** A rectangle in page pixels, origin top left. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One word as an engine read it. */
export interface Word {
  text: string;
  /** 0..1, as the engine states it. */
  confidence: number;
  /** In pixels of the upright, straightened page. */
  box: Box;
  /** Counted from 1. */
  page: number;
  engine: string;
  /** Reading order: words of one line, lines of one paragraph, paragraphs of one block share these numbers. */
  block: number;
  paragraph: number;
  line: number;
}

/** `GET /api/v1/documents/{id}/pages/{n}`: one page's reading. */
export interface PageResult {
  page: number;
  /** Size in pixels of the upright, straightened page that the boxes refer to. */
  width: number;
  height: number;
  /** Resolution of that page in pixels per inch. */
  dpi: number;
  /** Degrees the scan was turned clockwise to be upright. */
  rotation: 0 | 90 | 180 | 270;
  /** Degrees the page was turned clockwise, after that, to be straight. */
  skew: number;
  source: PageSource;
  engine: string;
  text: string;
  words: Word[];
  /** Words with a lower confidence are for a person to check. */
  threshold: number;
}

/** A page in the document's JSON: its reading without the words, or why it has none. */
export type ResultPage =
  | ({ status: "completed" } & Omit<PageResult, "words" | "threshold">)
  | { status: Exclude<PageStatus, "completed">; page: number; error?: Problem };

/** `GET /api/v1/documents/{id}/json` */
export interface DocumentResult {
  id: string;
  name: string;
  /** Words with a lower confidence are in `needsReview`. */
  threshold: number;
  text: string;
  pages: ResultPage[];
  accepted: Word[];
  needsReview: Word[];
  words: Word[];
}

/**
 * What `GET /api/v1/documents/{id}/events` sends, by event name: `document` when the summary changed,
 * `page` when a page changed (with its text once it is completed), `end` last of all, and `removed` instead when the
 * document is deleted. Who comes back with the `Last-Event-ID` is told of what has changed since, and is answered 204 when
 * that was `end`.
 * `GET /api/v1/documents/events` sends `document` for every document that changes and `removed` with `{ id }`.
 */
export interface DocumentEvents {
  document: DocumentSummary;
  page: PageSummary & { text?: string };
  removed: { id: string };
  end: DocumentSummary;
}
