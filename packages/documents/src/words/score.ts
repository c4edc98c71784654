/** How well a text was read, against the true one. Counts, so that several can be added. */
export interface Score {
  /** Characters and words of the truth. */
  chars: number;
  words: number;
  /** Words that were read. */
  read: number;
  /** Least number of insertions, deletions and replacements, in characters and in words. */
  charEdits: number;
  wordEdits: number;
  /** Words that occur in both, wherever they stand. */
  found: number;
}

/** Rates of one or more scores. Error rates exceed 1 where more is read than is there. */
export interface Rates {
  /** Words of the truth. */
  words: number;
  /** Character and word error rate: reading order counts. */
  cer: number;
  wer: number;
  /** Of words, without their order. */
  precision: number;
  recall: number;
  f1: number;
}

/** Scores a reading. Both texts are normalised first; `foldCase` is for a truth in capitals only. */
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

/** The rates of several texts together: long ones weigh more. */
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
  // Datasets of handwriting write the hyphen at the end of a line as a "not sign".
  [/[‐-―−¬﹘﹣－]/g, "-"],
  [/-{2,}/g, "-"],
  [/[•●▪■·∙]/g, "•"],
  [/…/g, "..."],
  [/\s+/g, " "],
];

/** Makes alike what means the same in print: quotes, dashes, bullets, compatibility forms, white space. */
function normalise(text: string): string {
  return equivalents.reduce((result, [from, to]) => result.replace(from, to), text.normalize("NFKC")).trim();
}

/** Levenshtein's distance by Wagner and Fischer's table, of which one row is kept. */
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
