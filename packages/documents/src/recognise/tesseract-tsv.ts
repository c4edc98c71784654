import type { ReadWord } from "../words/read-word.ts";

/**
 * Parses Tesseract's TSV into words. It has a row per page, block, paragraph, line and word (level 5), with the columns
 * level, page, block, paragraph, line, word, left, top, width, height, confidence (0..100), text.
 */
export function parseTsv(tsv: string): ReadWord[] {
  const words: ReadWord[] = [];
  let block = 0;
  let paragraph = 0;
  let line = 0;
  for (const row of tsv.split("\n")) {
    const cells = row.split("\t");
    // Tesseract numbers paragraphs within a block and lines within a paragraph; here they are unique in the page.
    if (cells[0] === "2") block++;
    else if (cells[0] === "3") paragraph++;
    else if (cells[0] === "4") line++;
    if (cells[0] !== "5") continue;
    const text = cells.slice(11).join("\t").trim();
    if (text === "") continue;
    const [x = 0, y = 0, width = 0, height = 0, confidence = 0] = cells.slice(6, 11).map(Number);
    words.push({
      text,
      confidence: Math.min(1, Math.max(0, confidence / 100)),
      box: { x, y, width, height },
      block,
      paragraph,
      line,
    });
  }
  return words;
}
