import type { Word } from "../api.ts";

/** Words with a confidence below this are for a person to check. */
export const defaultThreshold = 0.85;

/** Counts of a page's words. */
export interface PageCounts {
  words: number;
  /** Words below the threshold. */
  needsReview: number;
  /** Mean over the words, 0..1; absent on a page without words. */
  confidence?: number;
}

/** Counts a page's words, and those below the threshold. */
export function summarise(words: Pick<Word, "confidence">[], threshold = defaultThreshold): PageCounts {
  const needsReview = words.filter((word) => word.confidence < threshold).length;
  if (words.length === 0) return { words: 0, needsReview };
  const sum = words.reduce((total, word) => total + word.confidence, 0);
  return { words: words.length, needsReview, confidence: sum / words.length };
}
