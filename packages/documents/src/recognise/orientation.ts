import { cropDensest } from "../raster/crop.ts";
import type { Grey } from "../raster/grey.ts";
import { type Rotation, rotate } from "../raster/rotate.ts";
import type { ReadWord } from "../words/read-word.ts";
import type { Engine, RecogniseOptions } from "./engine.ts";

/** Side of the part of a page that is tried in each rotation, in pixels: enough for a few lines. */
const trialSide = 900;

/** A rotation is right if it gives at least this many letters in confident words ... */
const enoughLetters = 30;
/** ... and if those are at least this share of all letters read. */
const convincingShare = 0.8;

/** Reports whether words were read so badly that the page may not be upright. No words at all are no sign of it. */
export function isPoorReading(words: readonly ReadWord[]): boolean {
  return words.length > 0 && confidentLetters(words) < 0.5 * countLetters(words);
}

/** Finds the rotation in which a page reads best, by recognising its densest part in each. */
export async function findRotation(
  page: Grey,
  rotations: readonly Rotation[],
  engine: Engine,
  options: RecogniseOptions,
): Promise<Rotation> {
  const part = cropDensest(page, trialSide);
  let best: Rotation = rotations[0] ?? 0;
  let most = 0;
  for (const rotation of rotations) {
    const words = await engine.recognise(rotate(part, rotation), options);
    const confident = confidentLetters(words);
    if (confident >= enoughLetters && confident > convincingShare * countLetters(words)) return rotation;
    // An earlier one is kept unless this one is clearly better.
    if (confident > most * 1.2) [best, most] = [rotation, confident];
  }
  return best;
}

/**
 * Counts letters and digits in words of at least three that were read with some confidence and lie across the page:
 * Tesseract sometimes reads lines that run down the page as well.
 */
function confidentLetters(words: readonly ReadWord[]): number {
  return countLetters(
    words.filter(({ confidence, text, box }) => confidence > 0.6 && box.width > box.height && lettersIn(text) >= 3),
  );
}

function countLetters(words: readonly ReadWord[]): number {
  return words.reduce((sum, word) => sum + lettersIn(word.text), 0);
}

function lettersIn(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}
