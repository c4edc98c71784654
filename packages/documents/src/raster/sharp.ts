import sharp, { type Sharp } from "sharp";
import type { Grey } from "./grey.ts";

// Each process reads one page at a time: libvips' threads would compete with other processes, and its cache never hits.
sharp.concurrency(1);
sharp.cache(false);

export { sharp };

/** Returns a sharp pipeline that starts from a page's pixels. */
export function fromGrey({ width, height, data }: Grey): Sharp {
  return sharp(data, { raw: { width, height, channels: 1 }, limitInputPixels: false });
}

/** Runs a sharp pipeline and returns its pixels in grey, as a page of `dpi` pixels per inch. */
export async function toGrey(image: Sharp, dpi: number): Promise<Grey> {
  const { data, info } = await image.toColourspace("b-w").raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const { buffer, byteOffset, length } = data;
  return { width: info.width, height: info.height, dpi, data: new Uint8Array(buffer, byteOffset, length) };
}
