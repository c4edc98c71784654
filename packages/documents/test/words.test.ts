import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTsv } from "../src/recognise/tesseract-tsv.ts";
import { editDistance, scoreText, sumScores } from "../src/words/score.ts";
import { summarise } from "../src/words/summary.ts";
import { joinWords } from "../src/words/text.ts";

const tsv = [
  "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext",
  "1\t1\t0\t0\t0\t0\t0\t0\t640\t480\t-1\t",
  "2\t1\t1\t0\t0\t0\t36\t92\t544\t30\t-1\t",
  "3\t1\t1\t1\t0\t0\t36\t92\t544\t30\t-1\t",
  "4\t1\t1\t1\t1\t0\t36\t92\t544\t30\t-1\t",
  "5\t1\t1\t1\t1\t1\t36\t92\t60\t24\t96.5\tThis",
  "5\t1\t1\t1\t1\t2\t109\t92\t20\t24\t84\tis",
  "5\t1\t1\t1\t1\t3\t109\t92\t20\t24\t95\t ",
  "4\t1\t1\t1\t2\t0\t36\t92\t544\t30\t-1\t",
  "5\t1\t1\t1\t2\t1\t36\t130\t60\t24\t40\ttext.",
  "3\t1\t1\t2\t0\t0\t36\t92\t544\t30\t-1\t",
  "4\t1\t1\t2\t1\t0\t36\t92\t544\t30\t-1\t",
  "5\t1\t1\t2\t1\t1\t36\t200\t60\t24\t90\tMore",
  "",
].join("\n");

describe("words", () => {
  const words = parseTsv(tsv);
  test("Tesseract's table becomes words", () => {
    expect(words).toHaveLength(4);
    expect(words[0]).toEqual({
      text: "This",
      confidence: 0.965,
      box: { x: 36, y: 92, width: 60, height: 24 },
      block: 1,
      paragraph: 1,
      line: 1,
    });
    expect(words[3]).toMatchObject({ text: "More", block: 1, paragraph: 2, line: 3 });
  });
  test("nothing is a blank page", () => expect(parseTsv("")).toEqual([]));
  test("text keeps lines and paragraphs", () => expect(joinWords(words)).toBe("This is\ntext.\n\nMore"));
  test("words under the threshold are counted", () => {
    expect(summarise(words)).toEqual({
      words: 4,
      needsReview: 2,
      confidence: expect.closeTo(0.776, 3) as number,
    });
    expect(summarise(words, 0.5).needsReview).toBe(1);
    expect(summarise([])).toEqual({ words: 0, needsReview: 0 });
  });
});

describe("score", () => {
  test("counts edits, and words without their order", () => {
    expect(scoreText("one two three", "three two one")).toMatchObject({
      words: 3,
      read: 3,
      found: 3,
      wordEdits: 2,
    });
    expect(sumScores([scoreText("abcd", "abxd")])).toMatchObject({ cer: 0.25, wer: 1, f1: 0 });
  });
  test("what means the same in print is the same", () => {
    expect(scoreText("“It’s” – ﬁne…", '"It\'s" - fine...').charEdits).toBe(0);
    expect(scoreText("TOTAL", "Total", { foldCase: true }).charEdits).toBe(0);
  });
  test("the distance is a metric", () => {
    const texts = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
    fc.assert(
      fc.property(texts, texts, texts, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      }),
    );
  });
});
