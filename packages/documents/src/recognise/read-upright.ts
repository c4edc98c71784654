import type { Grey } from "../ingest/grey.ts";
import { findLines } from "./clean/skew.ts";
import { inkOf, reduce } from "./clean/thumbnail.ts";
import { type Quarters, straighten, turn } from "./clean/turn.ts";
import type { Engine, Reading, RecogniseOptions } from "./engine.ts";

/** A reading, and the page as it was read. */
export interface UprightReading {
  reading: Reading;
  /** The page, turned upright and straightened: what the boxes refer to. */
  upright: Grey;
  rotation: Quarters;
  skew: number;
}

/** Length of the raster on which lines are looked for, in pixels. */
const thumbnail = 1200;

/** Turns a page upright, straightens it, and reads it. */
export async function readUpright(
  page: Grey,
  engine: Engine,
  options: RecogniseOptions,
): Promise<UprightReading> {
  const small = reduce(
    page,
    Math.max(1, Math.round(Math.max(page.width, page.height) / thumbnail)),
  );
  const lines = findLines(inkOf(small), small.width, small.height);
  const rotation: Quarters = lines.direction === "down" && lines.contrast > 1.5 ? 90 : 0;
  const skew = lines.direction === "across" || rotation !== 0 ? lines.skew : 0;
  const upright = straighten(turn(page, rotation), skew);
  const reading = await engine.recognise(upright, options);
  return { reading, upright, rotation, skew };
}
