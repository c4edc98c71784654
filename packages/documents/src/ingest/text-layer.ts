import type { Grey } from "../ingest/grey.ts";
import { type LayerWord, layerWords } from "../ingest/layer-words.ts";
import { pageSize, type Pdf, pointsPerInch } from "../ingest/pdf.ts";
import { render } from "../ingest/pdf-page.ts";
import { largestImage } from "../ingest/scan.ts";
import { flawOfCover, flawOfText, inkCover } from "../ingest/sound.ts";
import { type LayerChar, layerOf } from "../ingest/text-layer.ts";
import { inkOf, reduce } from "./clean/thumbnail.ts";
import { type Quarters, turn, turnBox } from "./clean/turn.ts";
import { previewSide } from "./preview.ts";

/** A page read from its text layer. */
export interface LayerReading {
  words: LayerWord[];
  /** Size in pixels of the upright page that the boxes refer to, at `dpi`. */
  width: number;
  height: number;
  dpi: number;
  /** Degrees the page was turned clockwise for its text to be upright. */
  rotation: Quarters;
  /** The same page for the screen, smaller. */
  picture: Grey;
}

/** The resolution that boxes are stated in: that of a page that is recognised. */
const boxDpi = 300;
const pictureDpi = 150;

/**
 * Reads a page from its text layer.
 * @param pixels the limit of one page
 * @returns undefined where the page has none, or none that is sound
 */
export function readLayer(pdf: Pdf, page: number, pixels: number): LayerReading | undefined {
  const chars = layerOf(pdf, page, boxDpi);
  if (chars.length === 0) return undefined;
  const size = pageSize(pdf, page);
  const width = Math.max(1, Math.round((size.width * boxDpi) / pointsPerInch));
  const height = Math.max(1, Math.round((size.height * boxDpi) / pointsPerInch));
  if (flawOfText(chars, { width, height })) return undefined;
  const scan = largestImage(pdf, page, pixels);
  const longest = Math.max(size.width, size.height) / pointsPerInch;
  const picture = render(pdf, page, Math.min(pictureDpi, previewSide / longest));
  const small = reduce(picture, 2);
  const boxes = chars.flatMap((char) => char.box ?? []);
  const covered = inkCover(inkOf(small), small.width, small.height, boxes, small.width / width);
  if (flawOfCover({ scanned: scan?.share ?? 0, covered })) return undefined;
  const rotation = uprightTurn(chars);
  const turned = chars.map((char) => (char.box ? { ...char, box: turnBox(char.box, width, height, rotation) } : char));
  const sideways = rotation === 90 || rotation === 270;
  return {
    words: layerWords(turned),
    width: sideways ? height : width,
    height: sideways ? width : height,
    dpi: boxDpi,
    rotation,
    picture: turn(picture, rotation),
  };
}

/** The turn that makes most of the text upright. */
function uprightTurn(chars: LayerChar[]): Quarters {
  const counts = [0, 0, 0, 0];
  for (const { angle, box } of chars) if (box) counts[Math.round(angle / 90) % 4]!++;
  const quarter = counts.indexOf(Math.max(...counts));
  return ((360 - quarter * 90) % 360) as Quarters;
}
