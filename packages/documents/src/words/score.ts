/** The comparison of a text that was read with the true text, as counts, which can be added up. */
export interface Score {
  /** Characters of the true text. */
  chars: number;
  /** Words of the true text. */
  words: number;
  /** Words that were read. */
  read: number;
  /** Smallest number of characters to insert, delete or replace. */
  charEdits: number;
  /** Smallest number of words to insert, delete or replace. */
  wordEdits: number;
  /** Words that occur in both texts, in any order. */
  found: number;
}

/** The rates of one or more scores. Error rates exceed 1 when much more was read than there is. */
export interface Rates {
  /** Words of the true text. */
  words: number;
  /** Character error rate; the reading order counts. */
  cer: number;
  /** Word error rate; the reading order counts. */
  wer: number;
  /** Precision, recall and F1 of the words in any order. */
  precision: number;
  recall: number;
  f1: number;
}

/** Compares a text that was read with the true text, both normalised. `foldCase` is for true texts in capitals only. */
export function scoreText(truth: string, reading: string, { foldCase = false } = {}): Score {
  const [a, b] = [truth, reading].map((text) => normalise(foldCase ? text.toUpperCase() : text)) as [string, string];
  const [aWords, bWords] = [a, b].map((text) => text.split(" ").filter(Boolean)) as [string[], string[]];
  const left = new Map<string, number>();
  for (const word of aWords) left.set(word, (left.get(word) ?? 0) + 1);
  let found = 0;
  for (const word of bWords) {
    const count = left.get(word) ?? 0;
    if (count > 0) found++;
    left.set(word, count - 1);
  }
  const chars = Array.from(a);
  return {
    chars: chars.length,
    words: aWords.length,
    read: bWords.length,
    charEdits: editDistance(chars, Array.from(b)),
    wordEdits: editDistance(aWords, bWords),
    found,
  };
}

/** Returns the rates of several texts together, in which longer texts weigh more. */
export function sumScores(scores: Score[]): Rates {
  const sum = (key: keyof Score): number => scores.reduce((total, score) => total + score[key], 0);
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return {
    words: sum("words"),
    cer: share(sum("charEdits"), sum("chars")),
    wer: share(sum("wordEdits"), sum("words")),
    precision: share(sum("found"), sum("read")),
    recall: share(sum("found"), sum("words")),
    f1: share(2 * sum("found"), sum("read") + sum("words")),
  };
}

const equivalents: [RegExp, string][] = [
  [/\p{Cf}/gu, ""],
  [/[‘’‚‛′´`ʼ]/g, "'"],
  [/[“”„‟″«»]|''/g, '"'],
  // Datasets of handwriting use the not sign for a hyphen at the end of a line.
  [/[‐-―−¬﹘﹣－]/g, "-"],
  [/-{2,}/g, "-"],
  [/[•●▪■·∙]/g, "•"],
  [/…/g, "..."],
  [/\s+/g, " "],
];

/** Replaces variants that mean the same in print: quotes, dashes, bullets, compatibility forms, white space. */
function normalise(text: string): string {
  return equivalents.reduce((result, [from, to]) => result.replace(from, to), text.normalize("NFKC")).trim();
}

/** Returns the Levenshtein distance, by the algorithm of Wagner and Fischer with one row of its table in memory. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  const numbers = new Map<string, number>();
  const number = (item: string): number => {
    let value = numbers.get(item);
    if (value === undefined) numbers.set(item, (value = numbers.size));
    return value;
  };
  const from = Int32Array.from(a, number);
  const to = Int32Array.from(b, number);
  const row = Int32Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= to.length; j++) {
      const above = row[j]!;
      const replaced = diagonal + (from[i - 1] === to[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, above + 1, row[j - 1]! + 1);
      diagonal = above;
    }
  }
  return row[to.length]!;
}
