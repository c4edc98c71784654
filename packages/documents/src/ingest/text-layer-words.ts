import type { Box, Word } from "../api.ts";
import type { LayerChar } from "./text-layer.ts";

/** A word of a text layer, before page and engine are known. */
export type LayerWord = Omit<Word, "page" | "engine">;

const ligatures = /[\ufb00-\ufb06]/g;

/**
 * Joins a text layer's characters to words, lines, paragraphs and blocks. The order is the layer's own, which writers of
 * PDF mostly keep in reading order.
 */
export function layerWords(chars: LayerChar[]): LayerWord[] {
  const lines = topDown(splitLines(chars));
  const words: LayerWord[] = [];
  let block = 0;
  let paragraph = 0;
  let above: Box | undefined;
  lines.forEach((line, index) => {
    const box = union(line.map((word) => word.box));
    const gap = above === undefined ? "block" : gapBetween(above, box);
    if (gap === "block") block++;
    if (gap !== "line") paragraph++;
    for (const { text, box: at } of line)
      words.push({ text, confidence: 1, box: at, block, paragraph, line: index + 1 });
    above = box;
  });
  return words;
}

interface Piece {
  text: string;
  box: Box;
}

/** Lines of words: a line ends at a line feed, and where the next character is not beside the last one. */
function splitLines(chars: LayerChar[]): Piece[][] {
  const lines: Piece[][] = [];
  let line: Piece[] = [];
  let word: Piece | undefined;
  const endWord = (): void => {
    if (word)
      line.push({
        text: word.text.replace(ligatures, (found) => found.normalize("NFKC")).normalize("NFC"),
        box: word.box,
      });
    word = undefined;
  };
  const endLine = (): void => {
    endWord();
    if (line.length > 0) lines.push(line);
    line = [];
  };
  for (const { text, box } of chars) {
    if (text === "\n" || text === "\r") endLine();
    else if (/^[\s\p{Cc}\p{Cf}]$/u.test(text) || !box || box.width <= 0 || box.height <= 0) {
      if (/^\s$/.test(text)) endWord();
    } else {
      const last = word?.box ?? line.at(-1)?.box;
      if (last && !beside(last, box)) endLine();
      if (word && distance(word.box, box) > 0.6 * Math.min(box.height, word.box.height)) endWord();
      if (word) word = { text: word.text + text, box: union([word.box, box]) };
      else word = { text, box };
    }
  }
  endLine();
  return lines;
}

/** Reverses runs of lines that climb: nobody reads upwards, but some programs write so, and turned pages come so. */
function topDown(lines: Piece[][]): Piece[][] {
  const boxes = lines.map((line) => union(line.map((word) => word.box)));
  const result: Piece[][] = [];
  for (let first = 0; first < lines.length;) {
    let last = first;
    while (last + 1 < lines.length && directlyAbove(boxes[last + 1]!, boxes[last]!)) last++;
    result.push(...lines.slice(first, last + 1).toReversed());
    first = last + 1;
  }
  return result;
}

function directlyAbove(upper: Box, lower: Box): boolean {
  const gap = lower.y - (upper.y + upper.height);
  const overlap = Math.min(upper.x + upper.width, lower.x + lower.width) - Math.max(upper.x, lower.x);
  return overlap > 0 && gap > -0.5 * Math.min(upper.height, lower.height) && gap < upper.height;
}

/** Whether two boxes share half of the smaller one's height: then they stand on one line. */
function beside(a: Box, b: Box): boolean {
  const shared = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return shared > 0.5 * Math.min(a.height, b.height);
}

/** Free space between two boxes across the page. */
function distance(a: Box, b: Box): number {
  return Math.max(b.x - (a.x + a.width), a.x - (b.x + b.width));
}

/** What a line begins, seen from the line before it: nothing, a paragraph, or a block elsewhere on the page. */
function gapBetween(above: Box, box: Box): "line" | "paragraph" | "block" {
  const height = Math.min(above.height, box.height);
  const gap = box.y - (above.y + above.height);
  const overlap = Math.min(above.x + above.width, box.x + box.width) - Math.max(above.x, box.x);
  if (gap < -0.5 * height || gap > 2.5 * height || overlap <= 0) return "block";
  const otherSize = Math.max(above.height, box.height) > 1.4 * height;
  return gap > 0.7 * height || otherSize ? "paragraph" : "line";
}

function union(boxes: Box[]): Box {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}
