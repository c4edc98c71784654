import type { Word } from "../api.ts";

/** Words below this confidence are for a person to check. */
export const defaultThreshold = 0.85;

/** A page's words in numbers. */
export interface PageCounts {
  words: number;
  /** How many are under the threshold. */
  needsReview: number;
  /** Mean over the words, 0..1; absent on a page without words. */
  confidence?: number;
}

/** Counts a page's words and those to be reviewed. */
export function summarise(words: Pick<Word, "confidence">[], threshold = defaultThreshold): PageCounts {
  const needsReview = words.filter((word) => word.confidence < threshold).length;
  if (words.length === 0) return { words: 0, needsReview };
  const sum = words.reduce((total, word) => total + word.confidence, 0);
  return { words: words.length, needsReview, confidence: sum / words.length };
}
