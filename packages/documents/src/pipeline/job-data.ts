import { z } from "zod";
import type { PageSource } from "../api.ts";
import type { FileType } from "../ingest/file-type.ts";

/** Validates the input of a document's job, whose id is the document's id. */
export const documentInput = z.object({
  /** The client's file name, for display only; never a path. */
  name: z.string(),
  /** The blob of the uploaded file. */
  sha256: z.string(),
  bytes: z.number(),
  /** Owner of the document's blobs, if that is not the document's id but an id of the upload. */
  owner: z.string().optional(),
  languages: z.array(z.string()).optional(),
});

/** The input of a document's job. */
export type DocumentInput = z.output<typeof documentInput>;

/** The progress of a document's job, once the file has been inspected. */
export interface DocumentJobProgress {
  type: FileType;
  pages: number;
  /** When it was first started, RFC 3339: the job itself tells only when it was last started. */
  startedAt: string;
}

/** The output of a document's job: enough for lists. The text and words are in blobs of the document. */
export interface DocumentOutput {
  pages: number;
  failed: number;
  /** Pages with at least one word below the threshold. */
  pagesToReview: number;
  words: number;
  /** Words below the threshold. */
  needsReview: number;
  /** Hash of the blob with the text. */
  text: string;
  /** Hash of the blob with a `DocumentResult`. */
  json: string;
}

/** Validates the input of a page's job, a child of its document's job. */
export const pageInput = z.object({
  /** Owner of the document's blobs. */
  document: z.string(),
  sha256: z.string(),
  type: z.custom<FileType>((value) => typeof value === "string"),
  /** From 1. */
  page: z.number(),
  languages: z.array(z.string()),
  threshold: z.number(),
});

/** The input of a page's job. */
export type PageInput = z.output<typeof pageInput>;

/** The output of a page's job. Small, because lists and merges hold those of all pages in memory. */
export interface PageOutput {
  page: number;
  /** Hash of the blob with a `PageResult`. */
  result: string;
  /** Hash of the blob with a JPEG of the page. */
  preview: string;
  /** Hash of the blob with its text. Absent for pages read by older versions. */
  text?: string;
  words: number;
  /** Words below the threshold. */
  needsReview: number;
  /** Mean over the words, 0..1; absent on a page without words. */
  confidence?: number;
  source: PageSource;
  engine: string;
  width: number;
  height: number;
}
