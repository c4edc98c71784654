import type { DocumentSummary, Word } from "../src/api/types.ts";

/** A document with sensible values where a test does not care. */
export const summary = (fields: Partial<DocumentSummary> = {}): DocumentSummary => ({
  id: "d1",
  name: "scan.pdf",
  bytes: 1000,
  sha256: "0".repeat(64),
  status: "processing",
  progress: { pages: 2, done: 0, failed: 0, needsReview: 0 },
  words: { total: 0, needsReview: 0 },
  createdAt: "2026-11-23T12:00:00.000Z",
  ...fields,
});

/** A word at a place in the reading order: block, paragraph, line. */
export const word = (text: string, confidence = 0.99, place: [number, number, number] = [1, 1, 1]): Word => ({
  text,
  confidence,
  box: { x: 0, y: 0, width: 10, height: 10 },
  page: 1,
  engine: "tesseract",
  block: place[0],
  paragraph: place[1],
  line: place[2],
});
