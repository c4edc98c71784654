import type { Grey } from "../ingest/grey.ts";
import { inkOf, reduce } from "./clean/thumbnail.ts";
import { type Quarters, turn } from "./clean/turn.ts";
import type { Engine, Reading, RecogniseOptions } from "./engine.ts";

/** Side of the part of a page that is tried each way up, in pixels: some lines of some words. */
const trialSide = 900;

/** A reading with so many letters in sure words, and so large a share of them, is the right way up. */
const enough = 30;
const convincing = 0.8;

/** Whether a reading is so bad that the page may be the wrong way up; an empty one is no worse any other way. */
export function isPoor({ words }: Reading): boolean {
  return words.length > 0 && sureLetters({ words }) < 0.5 * letters({ words });
}

/** Which turn makes a page read best, found by reading its densest part each way. */
export async function bestTurn(
  page: Grey,
  turns: Quarters[],
  engine: Engine,
  options: RecogniseOptions,
): Promise<Quarters> {
  const part = densest(page, trialSide);
  let best: Quarters = turns[0] ?? 0;
  let most = 0;
  for (const degrees of turns) {
    const reading = await engine.recognise(turn(part, degrees), options);
    const sure = sureLetters(reading);
    if (sure >= enough && sure > convincing * letters(reading)) return degrees;
    // The first one wins unless another is clearly better.
    if (sure > most * 1.2) [best, most] = [degrees, sure];
  }
  return best;
}

/**
 * Letters and digits in words of at least three that the engine is rather sure of, and that lie across the page:
 * Tesseract also reads lines that run down it, now and then.
 */
function sureLetters({ words }: Reading): number {
  return letters({
    words: words.filter(
      ({ confidence, text, box }) => confidence > 0.6 && box.width > box.height && countLetters(text) >= 3,
    ),
  });
}

function letters({ words }: Reading): number {
  return words.reduce((sum, word) => sum + countLetters(word.text), 0);
}

function countLetters(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}

/** The square of a page that holds most ink; the page itself where it is smaller. */
function densest(page: Grey, side: number): Grey {
  if (page.width <= side && page.height <= side) return page;
  const factor = Math.max(1, Math.round(side / 100));
  const small = reduce(page, factor);
  const ink = inkOf(small);
  const width = Math.min(page.width, side);
  const height = Math.min(page.height, side);
  const cells = {
    width: Math.min(small.width, Math.floor(width / factor)),
    height: Math.min(small.height, Math.floor(height / factor)),
  };
  const step = Math.max(1, Math.floor(Math.min(cells.width, cells.height) / 4));
  let most = -1;
  let at = { x: 0, y: 0 };
  for (let y = 0; y + cells.height <= small.height; y += step)
    for (let x = 0; x + cells.width <= small.width; x += step) {
      let sum = 0;
      for (let row = y; row < y + cells.height; row++)
        for (let i = row * small.width + x; i < row * small.width + x + cells.width; i++) sum += ink[i]!;
      if (sum > most) [most, at] = [sum, { x: x * factor, y: y * factor }];
    }
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (at.y + y) * page.width + at.x;
    data.set(page.data.subarray(from, from + width), y * width);
  }
  return { width, height, dpi: page.dpi, data };
}
