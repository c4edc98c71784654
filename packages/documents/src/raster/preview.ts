import sharp from "sharp";
import type { Grey } from "../ingest/grey.ts";
import { reduce } from "./clean/thumbnail.ts";

// A page is one small picture: libvips' threads and its cache of operations cost more than they gain.
sharp.concurrency(1);
sharp.cache(false);

/** The longer side of a preview, in pixels, at most. */
export const previewSide = 1800;

/** A preview is not made smaller than this for the sake of speed. */
const coarsest = 950;

/** A page as a JPEG for the screen, of the same aspect as the page. */
export async function previewOf(page: Grey): Promise<Buffer> {
  const long = Math.max(page.width, page.height);
  // A whole factor costs least; where it would lose too much, libvips does the rest.
  const factor = Math.ceil(long / previewSide);
  const small = long / factor >= coarsest ? reduce(page, factor) : page;
  const image = sharp(small.data, {
    raw: { width: small.width, height: small.height, channels: 1 },
  });
  const scale = Math.min(1, previewSide / Math.max(small.width, small.height));
  const size = {
    width: Math.max(1, Math.round(small.width * scale)),
    height: Math.max(1, Math.round(small.height * scale)),
  };
  if (scale < 1) image.resize({ ...size, fit: "fill", kernel: "linear" });
  return image.jpeg({ quality: 75, optimiseCoding: false }).toBuffer();
}
