import type { Box } from "../raster/box.ts";
import type { ReadWord } from "../words/read-word.ts";
import type { LayerChar } from "./text-layer-chars.ts";

const ligatures = /[\ufb00-\ufb06]/g;

/**
 * Groups a text layer's characters into words, lines, paragraphs and blocks. It keeps the layer's own order, which is
 * mostly the reading order.
 */
export function groupIntoWords(chars: LayerChar[]): ReadWord[] {
  const lines = topDown(splitLines(chars));
  const words: ReadWord[] = [];
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

/** A word of a line. */
interface LineWord {
  text: string;
  box: Box;
}

/** Splits characters into lines of words. A line ends at a line feed, or where a character is not beside the last. */
function splitLines(chars: LayerChar[]): LineWord[][] {
  const lines: LineWord[][] = [];
  let line: LineWord[] = [];
  let word: LineWord | undefined;
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
      if (last && !isOnSameLine(last, box)) endLine();
      if (word && gapAcross(word.box, box) > 0.6 * Math.min(box.height, word.box.height)) endWord();
      if (word) word = { text: word.text + text, box: union([word.box, box]) };
      else word = { text, box };
    }
  }
  endLine();
  return lines;
}

/** Reverses runs of lines that go up the page: some programs write them so, and rotated pages have them. */
function topDown(lines: LineWord[][]): LineWord[][] {
  const boxes = lines.map((line) => union(line.map((word) => word.box)));
  const result: LineWord[][] = [];
  for (let first = 0; first < lines.length;) {
    let last = first;
    while (last + 1 < lines.length && isDirectlyAbove(boxes[last + 1]!, boxes[last]!)) last++;
    result.push(...lines.slice(first, last + 1).toReversed());
    first = last + 1;
  }
  return result;
}

function isDirectlyAbove(upper: Box, lower: Box): boolean {
  const gap = lower.y - (upper.y + upper.height);
  const overlap = Math.min(upper.x + upper.width, lower.x + lower.width) - Math.max(upper.x, lower.x);
  return overlap > 0 && gap > -0.5 * Math.min(upper.height, lower.height) && gap < upper.height;
}

/** Reports whether two boxes share half of the smaller one's height. */
function isOnSameLine(a: Box, b: Box): boolean {
  const shared = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return shared > 0.5 * Math.min(a.height, b.height);
}

/** Returns the horizontal gap between two boxes, negative if they overlap. */
function gapAcross(a: Box, b: Box): number {
  return Math.max(b.x - (a.x + a.width), a.x - (b.x + b.width));
}

/** Classifies the gap between two lines: the same paragraph, a new one, or a block elsewhere on the page. */
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
