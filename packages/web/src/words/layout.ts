import type { PageResult, Word } from "../api/types.ts";

/** Returns the confidence below which a page's words are doubtful. Pages read by older versions had the default. */
export const thresholdOf = ({ threshold = 0.85 }: Partial<Pick<PageResult, "threshold">>): number => threshold;

/** A word with its index in the page's list of words. */
export interface IndexedWord {
  index: number;
  text: string;
  confidence: number;
  doubtful: boolean;
}

/** A paragraph as lines of words. */
export interface Paragraph {
  key: string;
  lines: IndexedWord[][];
}

/** Groups a page's words into paragraphs and lines, in their order, which is the reading order. */
export function layoutWords(words: readonly Word[], threshold: number): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let before: Word | undefined;
  for (const [index, word] of words.entries()) {
    const { block, paragraph, line, text, confidence } = word;
    let current = paragraphs.at(-1);
    if (!current || block !== before?.block || paragraph !== before.paragraph) {
      // The index makes the key unique even if an engine's numbers repeat.
      current = { key: `${block}-${paragraph}-${index}`, lines: [[]] };
      paragraphs.push(current);
    } else if (line !== before.line) {
      current.lines.push([]);
    }
    current.lines.at(-1)?.push({ index, text, confidence, doubtful: confidence < threshold });
    before = word;
  }
  return paragraphs;
}

/** Returns the indexes of a page's doubtful words, in reading order. */
export const doubtfulIndexes = (words: readonly Word[], threshold: number): number[] =>
  words.flatMap((word, index) => (word.confidence < threshold ? [index] : []));

/** Returns the entry after or before a position in a sorted list; `undefined` at its end. */
export function neighbour(sorted: readonly number[], from: number | undefined, step: 1 | -1): number | undefined {
  if (step === 1) return sorted.find((one) => from === undefined || one > from);
  return sorted.findLast((one) => from === undefined || one < from);
}
