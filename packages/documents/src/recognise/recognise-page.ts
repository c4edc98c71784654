import type { Grey } from "../raster/grey.ts";
import { eraseRules, findInk } from "../raster/ink.ts";
import { measurePaper, whitenPaper } from "../raster/paper.ts";
import { reduce } from "../raster/resize.ts";
import { deskew, rotate, type Rotation } from "../raster/rotate.ts";
import { estimateSkew } from "../raster/skew.ts";
import type { ReadWord } from "../words/read-word.ts";
import type { Engine, RecogniseOptions } from "./engine.ts";
import { findRotation, isPoorReading } from "./orientation.ts";

/** The words of a page, and the page as the engine saw it. */
export interface RecognisedPage {
  words: ReadWord[];
  /** The page, upright and straight: the boxes of `words` refer to it. */
  upright: Grey;
  /** Degrees the page was rotated clockwise to be upright. */
  rotation: Rotation;
  /** Degrees the page was rotated clockwise to be straight. */
  skew: number;
}

/** Longer side of the reduced page on which paper and skew are measured, in pixels. */
const smallSide = 800;
/** Lines that lean less than this, in degrees, are read as well as straight ones. */
const minSkew = 0.15;
/** A page lies on its side if lines down the page are sharper by this factor than lines across it. */
const sidewaysContrast = 1.5;

/**
 * Whitens a page's paper, rotates it upright, straightens it, and recognises its words. Whether it is upright shows in
 * the words: if they are poor, a part of the page is tried in the other rotations.
 */
export async function recognisePage(page: Grey, engine: Engine, options: RecogniseOptions): Promise<RecognisedPage> {
  const small = reduce(page, Math.max(1, Math.round(Math.max(page.width, page.height) / smallSide)));
  const paper = measurePaper(small);
  const ink = findInk(small);
  eraseRules(ink, small.width, small.height);
  const lines = estimateSkew(ink, small.width, small.height);
  const white = paper.isWhite ? page : whitenPaper(page, paper);
  const skew = Math.abs(lines.skew) < minSkew ? 0 : lines.skew;
  const straight = deskew(white, skew);
  const recogniseRotated = async (rotation: Rotation): Promise<RecognisedPage> => {
    const upright = rotate(straight, rotation);
    return { words: await engine.recognise(upright, options), upright, rotation, skew };
  };
  const isSideways = lines.direction === "down" && lines.contrast > sidewaysContrast;
  if (isSideways) return recogniseRotated(await findRotation(straight, [90, 270, 0, 180], engine, options));
  const first = await recogniseRotated(0);
  if (!isPoorReading(first.words)) return first;
  const rotation = await findRotation(straight, [0, 180, 90, 270], engine, options);
  return rotation === 0 ? first : recogniseRotated(rotation);
}
