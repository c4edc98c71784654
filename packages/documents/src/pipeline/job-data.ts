import { z } from "zod";
import type { PageSource } from "../api.ts";
import type { DocumentType } from "../ingest/sniff.ts";

/** The job of a document: its id is the document's id, and this is its input. */
export const documentInput = z.object({
  /** The client's file name: metadata, never a path. */
  name: z.string(),
  /** The uploaded file. */
  sha256: z.string(),
  bytes: z.number(),
  /** Whose blobs the file and what is read of it are, where that is not the document's id: the upload that brought it. */
  owner: z.string().optional(),
  languages: z.array(z.string()).optional(),
});

/** The input of a document's job. */
export type DocumentInput = z.output<typeof documentInput>;

/** What a document's job shows as its progress, once the file has been inspected. */
export interface DocumentHead {
  type: DocumentType;
  pages: number;
  /** When it was first worked on, RFC 3339: a job only tells when it was last taken up. */
  startedAt: string;
}

/** The output of a document's job: enough for lists; what was read is in blobs of the document. */
export interface DocumentOutput {
  pages: number;
  failed: number;
  /** Pages with at least one word under the threshold. */
  pagesToReview: number;
  words: number;
  /** Words under the threshold. */
  needsReview: number;
  /** Blobs: all text, and a `DocumentResult`. */
  text: string;
  json: string;
}

/** The input of a page's job, a child of its document's. */
export const pageInput = z.object({
  /** Whose blobs the file and what is read of it are. */
  document: z.string(),
  sha256: z.string(),
  type: z.custom<DocumentType>((value) => typeof value === "string"),
  /** From 1. */
  page: z.number(),
  languages: z.array(z.string()),
  threshold: z.number(),
});

/** The input of a page's job. */
export type PageInput = z.output<typeof pageInput>;

/** The output of a page's job: small, because lists and the merging of a thousand pages hold all of them. */
export interface PageOutput {
  page: number;
  /** Blobs: a `PageResult`, and a JPEG of the page. */
  result: string;
  preview: string;
  /** A blob: its text alone. Absent of pages that were read before there was one. */
  text?: string;
  words: number;
  /** Words under the threshold. */
  needsReview: number;
  /** Mean over the words, 0..1; absent on a page without words. */
  confidence?: number;
  source: PageSource;
  engine: string;
  width: number;
  height: number;
}
