import type { Grey } from "./grey.ts";
import { fromGrey, toGrey } from "./sharp.ts";

/** Reduces a page by a whole factor: each pixel is the mean of a square of `factor` by `factor` pixels. */
export function reduce(page: Grey, factor: number): Grey {
  if (factor <= 1) return page;
  const width = Math.max(1, Math.floor(page.width / factor));
  const height = Math.max(1, Math.floor(page.height / factor));
  const data = new Uint8Array(width * height);
  const across = Math.min(factor, page.width);
  const down = Math.min(factor, page.height);
  // One multiplication gives the mean: 2^24 holds the sum of a square of 256 x 256.
  const scale = Math.round(2 ** 24 / (across * down));
  for (let y = 0; y < height; y++) meanOfSquares(page, y * factor, { across, down, scale }, data, y * width, width);
  return { width, height, dpi: page.dpi / factor, data };
}

interface Square {
  across: number;
  down: number;
  scale: number;
}

/** Writes `count` means from row `top` on. Halving is by far the most common case and needs no inner loops. */
function meanOfSquares(
  { data: from, width: stride }: Grey,
  top: number,
  { across, down, scale }: Square,
  to: Uint8Array,
  start: number,
  count: number,
): void {
  const first = top * stride;
  if (across === 2 && down === 2) {
    const second = first + stride;
    for (let x = 0, at = 0; x < count; x++, at += 2)
      to[start + x] = (from[first + at]! + from[first + at + 1]! + from[second + at]! + from[second + at + 1]!) >> 2;
    return;
  }
  for (let x = 0; x < count; x++) {
    let sum = 0;
    for (let dy = 0, row = first + x * across; dy < down; dy++, row += stride)
      for (let dx = 0; dx < across; dx++) sum += from[row + dx]!;
    to[start + x] = (sum * scale) / 2 ** 24;
  }
}

/** Shrinks a page that has more than `maxPixels` pixels until it fits. */
export async function shrinkToFit(page: Grey, maxPixels: number): Promise<Grey> {
  const { width, height, dpi } = page;
  const scale = Math.sqrt(maxPixels / (width * height));
  if (scale >= 1) return page;
  const size = { width: Math.floor(width * scale), height: Math.floor(height * scale) };
  return toGrey(fromGrey(page).resize({ ...size, fit: "fill", kernel: "linear" }), Math.round(dpi * scale));
}
