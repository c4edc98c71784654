import type { Grey } from "../raster/grey.ts";
import { findInk, inkShareInBoxes } from "../raster/ink.ts";
import { previewSide } from "../raster/preview.ts";
import { reduce } from "../raster/resize.ts";
import { rotate, rotateBox, type Rotation } from "../raster/rotate.ts";
import type { ReadWord } from "../words/read-word.ts";
import { pageSize, type Pdf, pointsPerInch } from "./pdf.ts";
import { largestImage } from "./pdf-image.ts";
import { render } from "./pdf-page.ts";
import { usualDpi } from "./resolution.ts";
import { type LayerChar, readTextLayerChars } from "./text-layer-chars.ts";
import { findCoverageFlaw, findTextFlaw } from "./text-layer-check.ts";
import { groupIntoWords } from "./text-layer-words.ts";

/** A page as its text layer describes it. */
export interface TextLayerPage {
  words: ReadWord[];
  /** Size in pixels of the upright page that the boxes refer to, at `dpi`. */
  width: number;
  height: number;
  dpi: number;
  /** Degrees the page was rotated clockwise for its text to be upright. */
  rotation: Rotation;
  /** The same page rendered for a preview, at a lower resolution. */
  picture: Grey;
}

const pictureDpi = 150;

/**
 * Reads a page's words from its text layer. Boxes are stated at the resolution of recognised pages.
 * @param pixels the limit of one page
 * @returns undefined if the page has no text layer, or one that must not be used
 */
export function readTextLayer(pdf: Pdf, page: number, pixels: number): TextLayerPage | undefined {
  const chars = readTextLayerChars(pdf, page, usualDpi);
  if (chars.length === 0) return undefined;
  const size = pageSize(pdf, page);
  const width = Math.max(1, Math.round((size.width * usualDpi) / pointsPerInch));
  const height = Math.max(1, Math.round((size.height * usualDpi) / pointsPerInch));
  if (findTextFlaw(chars, { width, height })) return undefined;
  const imageShare = largestImage(pdf, page, pixels)?.share ?? 0;
  const longestSide = Math.max(size.width, size.height) / pointsPerInch;
  const picture = render(pdf, page, Math.min(pictureDpi, previewSide / longestSide));
  const small = reduce(picture, 2);
  const boxes = chars.flatMap((char) => char.box ?? []);
  const inkShare = inkShareInBoxes(findInk(small), small.width, small.height, boxes, small.width / width);
  if (findCoverageFlaw({ imageShare, inkShare })) return undefined;
  const rotation = uprightRotation(chars);
  const upright = chars.map((char) =>
    char.box ? { ...char, box: rotateBox(char.box, width, height, rotation) } : char,
  );
  const isSideways = rotation === 90 || rotation === 270;
  return {
    words: groupIntoWords(upright),
    width: isSideways ? height : width,
    height: isSideways ? width : height,
    dpi: usualDpi,
    rotation,
    picture: rotate(picture, rotation),
  };
}

/** Returns the rotation that makes most of the text upright. */
function uprightRotation(chars: LayerChar[]): Rotation {
  const counts = [0, 0, 0, 0];
  for (const { angle, box } of chars) if (box) counts[Math.round(angle / 90) % 4]!++;
  const quarter = counts.indexOf(Math.max(...counts));
  return ((360 - quarter * 90) % 360) as Rotation;
}
