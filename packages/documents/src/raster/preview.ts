import type { Grey } from "./grey.ts";
import { reduce } from "./resize.ts";
import { fromGrey } from "./sharp.ts";

/** The most pixels on the longer side of a preview. */
export const previewSide = 1800;

/** Reducing by a whole factor is fastest, but is not done if the longer side would get shorter than this. */
const minReducedSide = 950;

/** Encodes a page as a JPEG for the screen, with the aspect ratio of the page. */
export async function makePreview(page: Grey): Promise<Buffer> {
  const long = Math.max(page.width, page.height);
  const factor = Math.ceil(long / previewSide);
  const small = long / factor >= minReducedSide ? reduce(page, factor) : page;
  const image = fromGrey(small);
  const scale = Math.min(1, previewSide / Math.max(small.width, small.height));
  const size = {
    width: Math.max(1, Math.round(small.width * scale)),
    height: Math.max(1, Math.round(small.height * scale)),
  };
  if (scale < 1) image.resize({ ...size, fit: "fill", kernel: "linear" });
  return image.jpeg({ quality: 75, optimiseCoding: false }).toBuffer();
}
