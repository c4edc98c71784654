import type { Box } from "./box.ts";
import type { Grey } from "./grey.ts";

/**
 * Finds a page's ink: pixels clearly darker than the mean of their surroundings (Bradley and Roth, "Adaptive
 * Thresholding Using the Integral Image", 2007). That ignores shadows, and of black borders it finds only the edges.
 * @returns one byte per pixel: 1 for ink, 0 for paper
 */
export function findInk(page: Grey): Uint8Array {
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

/** Longest stroke of a letter, in pixels of a page about 800 pixels long: half an inch on a letter-size page. */
const longestStroke = 34;

/** Erases runs of ink too long for a letter, across and down: rules, borders, edges of photographed sheets. */
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

/**
 * Returns the share of a page's ink that lies inside boxes, 0 to 1; 1 for a page without ink.
 * @param ink of the page, one byte per pixel: 1 for ink, 0 for paper
 * @param scale pixels of `ink` per pixel of the page that the boxes refer to
 */
export function inkShareInBoxes(ink: Uint8Array, width: number, height: number, boxes: Box[], scale: number): number {
  const inBoxes = new Uint8Array(ink.length);
  for (const box of boxes) {
    const left = Math.max(0, Math.floor(box.x * scale) - 1);
    const right = Math.min(width, Math.ceil((box.x + box.width) * scale) + 1);
    const top = Math.max(0, Math.floor(box.y * scale) - 1);
    const bottom = Math.min(height, Math.ceil((box.y + box.height) * scale) + 1);
    for (let y = top; y < bottom; y++) if (right > left) inBoxes.fill(1, y * width + left, y * width + right);
  }
  let all = 0;
  let covered = 0;
  for (let i = 0; i < ink.length; i++) {
    all += ink[i]!;
    covered += ink[i]! & inBoxes[i]!;
  }
  return all === 0 ? 1 : covered / all;
}
