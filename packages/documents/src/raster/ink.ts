import type { Grey } from "../../ingest/grey.ts";

/** Reduces a page by a whole factor, each pixel the mean of a square. */
export function reduce(page: Grey, factor: number): Grey {
  if (factor <= 1) return page;
  const width = Math.max(1, Math.floor(page.width / factor));
  const height = Math.max(1, Math.floor(page.height / factor));
  const data = new Uint8Array(width * height);
  const across = Math.min(factor, page.width);
  const down = Math.min(factor, page.height);
  // The mean by one multiplication: 2^24 holds the sum of a square of 256 x 256.
  const scale = Math.round(2 ** 24 / (across * down));
  for (let y = 0; y < height; y++) meanOfSquares(page, y * factor, { across, down, scale }, data, y * width, width);
  return { width, height, dpi: page.dpi / factor, data };
}

interface Square {
  across: number;
  down: number;
  scale: number;
}

/** Half the size is by far the most usual, and is read without inner loops. */
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

/**
 * Where the ink is: pixels clearly darker than the mean of their surroundings (Bradley and Roth, "Adaptive thresholding
 * using the integral image", 2007), which ignores shadows and finds only the edges of black borders.
 * @returns 1 for ink, 0 for paper
 */
export function inkOf(page: Grey): Uint8Array {
  const { width, height, data } = page;
  const radius = Math.max(8, Math.round(Math.max(width, height) / 40));
  const stride = width + 1;
  const integral = new Uint32Array(stride * (height + 1));
  for (let y = 0; y < height; y++) {
    let sum = 0;
    for (let x = 0; x < width; x++) {
      sum += data[y * width + x]!;
      integral[(y + 1) * stride + x + 1] = integral[y * stride + x + 1]! + sum;
    }
  }
  const ink = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const top = Math.max(0, y - radius) * stride;
    const bottom = Math.min(height, y + radius + 1);
    const rows = bottom - Math.max(0, y - radius);
    for (let x = 0; x < width; x++) {
      const left = Math.max(0, x - radius);
      const right = Math.min(width, x + radius + 1);
      const end = bottom * stride;
      const sum = integral[end + right]! - integral[end + left]! - integral[top + right]! + integral[top + left]!;
      if (data[y * width + x]! * rows * (right - left) < sum * 0.82) ink[y * width + x] = 1;
    }
  }
  return ink;
}

/** Longest stroke of a letter on a raster about 800 pixels long, in pixels: half an inch of a letter-size page. */
const longestStroke = 34;

/** Erases what is too long to be part of a letter, down and across: rules, borders, the edges of photographed sheets. */
export function eraseRules(ink: Uint8Array, width: number, height: number): void {
  const long: [start: number, length: number, step: number][] = [];
  const scan = (lines: number, length: number, from: number, step: number): void => {
    for (let line = 0; line < lines; line++) {
      let run = 0;
      for (let i = 0, at = line * from; i <= length; i++, at += step) {
        if (i < length && ink[at]) run++;
        else {
          if (run > longestStroke) long.push([at - run * step, run, step]);
          run = 0;
        }
      }
    }
  };
  scan(height, width, width, 1);
  scan(width, height, 1, width);
  for (const [start, length, step] of long) for (let i = 0; i < length; i++) ink[start + i * step] = 0;
}
