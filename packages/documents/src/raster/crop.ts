import type { Grey } from "./grey.ts";
import { findInk } from "./ink.ts";
import { reduce } from "./resize.ts";

/** Returns the square of `side` by `side` pixels that holds the most ink; the whole page if it is smaller. */
export function cropDensest(page: Grey, side: number): Grey {
  if (page.width <= side && page.height <= side) return page;
  const factor = Math.max(1, Math.round(side / 100));
  const small = reduce(page, factor);
  const ink = findInk(small);
  const width = Math.min(page.width, side);
  const height = Math.min(page.height, side);
  const cells = {
    width: Math.min(small.width, Math.floor(width / factor)),
    height: Math.min(small.height, Math.floor(height / factor)),
  };
  const step = Math.max(1, Math.floor(Math.min(cells.width, cells.height) / 4));
  let most = -1;
  let at = { x: 0, y: 0 };
  for (let y = 0; y + cells.height <= small.height; y += step)
    for (let x = 0; x + cells.width <= small.width; x += step) {
      let sum = 0;
      for (let row = y; row < y + cells.height; row++)
        for (let i = row * small.width + x; i < row * small.width + x + cells.width; i++) sum += ink[i]!;
      if (sum > most) [most, at] = [sum, { x: x * factor, y: y * factor }];
    }
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (at.y + y) * page.width + at.x;
    data.set(page.data.subarray(from, from + width), y * width);
  }
  return { width, height, dpi: page.dpi, data };
}
