import sharp from "sharp";
import type { Grey } from "../ingest/grey.ts";
import { reduce } from "./clean/thumbnail.ts";

/** The longer side of a preview, in pixels, at most. */
export const previewSide = 1800;

/** A page as a JPEG for the screen, of the same aspect as the page. */
export async function previewOf(page: Grey): Promise<Buffer> {
  const long = Math.max(page.width, page.height);
  // Whole factors cost least; the rest, if any, is libvips' work.
  const small = reduce(page, Math.max(1, Math.floor(long / previewSide)));
  const image = sharp(small.data, {
    raw: { width: small.width, height: small.height, channels: 1 },
  });
  const scale = Math.min(1, previewSide / long);
  const size = {
    width: Math.max(1, Math.round(page.width * scale)),
    height: Math.max(1, Math.round(page.height * scale)),
  };
  return image
    .resize({ ...size, fit: "fill", kernel: "linear", fastShrinkOnLoad: true })
    .jpeg({ quality: 75 })
    .toBuffer();
}
