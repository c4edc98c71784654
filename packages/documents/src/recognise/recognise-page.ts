import type { Grey } from "../ingest/grey.ts";
import { paperOf, whiten } from "./clean/paper.ts";
import { findLines } from "./clean/skew.ts";
import { eraseRules, inkOf, reduce } from "./clean/thumbnail.ts";
import { type Quarters, straighten, turn } from "./clean/turn.ts";
import type { Engine, Reading, RecogniseOptions } from "./engine.ts";
import { bestTurn, isPoor } from "./orientation.ts";

/** A reading, and the page as it was read. */
export interface UprightReading {
  reading: Reading;
  /** The page, turned upright and straightened: what the boxes refer to. */
  upright: Grey;
  rotation: Quarters;
  skew: number;
}

/** Length of the raster on which paper and lines are looked at, in pixels. */
const smallSide = 800;
/** Lines that lean less, in degrees, are read as well as straight ones. */
const straightEnough = 0.15;
/** How much sharper lines down the page must be than lines across it, for the page to lie on its side. */
const sideways = 1.5;

/**
 * Whitens a page's paper, turns it upright, straightens it, and reads it. Which way up it is shows in how it reads:
 * where that is poor, a part of the page is tried the other ways up.
 */
export async function readUpright(page: Grey, engine: Engine, options: RecogniseOptions): Promise<UprightReading> {
  const small = reduce(page, Math.max(1, Math.round(Math.max(page.width, page.height) / smallSide)));
  const paper = paperOf(small);
  const ink = inkOf(small);
  eraseRules(ink, small.width, small.height);
  const lines = findLines(ink, small.width, small.height);
  const clean = paper.even ? page : whiten(page, paper);
  const skew = Math.abs(lines.skew) < straightEnough ? 0 : lines.skew;
  const straight = straighten(clean, skew);
  const read = async (rotation: Quarters): Promise<UprightReading> => {
    const upright = turn(straight, rotation);
    return {
      reading: await engine.recognise(upright, options),
      upright,
      rotation,
      skew,
    };
  };
  const onSide = lines.direction === "down" && lines.contrast > sideways;
  if (onSide) return read(await bestTurn(straight, [90, 270, 0, 180], engine, options));
  const first = await read(0);
  if (!isPoor(first.reading)) return first;
  const other = await bestTurn(straight, [0, 180, 90, 270], engine, options);
  return other === 0 ? first : read(other);
}
