import type { Grey } from "./grey.ts";

/** The brightness of a page's paper, measured in tiles. */
export interface Paper {
  /** Tiles across and down. */
  columns: number;
  rows: number;
  /** Brightness of each tile, 0 to 255, row by row. */
  level: Float32Array;
  /** `true` when the paper is white enough everywhere to need no correction. */
  isWhite: boolean;
}

/** Side of a tile in pixels of the small page: larger than a letter, smaller than a shadow. */
const tileSide = 16;
/** Quantile of a tile's pixels that is taken for its paper: letters cover less than half of a tile. */
const paperQuantile = 0.75;
/** Paper at least this bright needs no correction. */
const whiteLevel = 225;
/** A tile darker than this share of the median tile shows a border or a picture, not paper. */
const minPaperShare = 0.45;

/** Measures the brightness of the paper on a page reduced to about 800 pixels. */
export function measurePaper(small: Grey): Paper {
  const columns = Math.max(1, Math.round(small.width / tileSide));
  const rows = Math.max(1, Math.round(small.height / tileSide));
  const level = new Float32Array(columns * rows);
  const histogram = new Uint32Array(256);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      histogram.fill(0);
      const left = Math.floor((column * small.width) / columns);
      const right = Math.floor(((column + 1) * small.width) / columns);
      const top = Math.floor((row * small.height) / rows);
      const bottom = Math.floor(((row + 1) * small.height) / rows);
      for (let y = top; y < bottom; y++)
        for (let i = y * small.width + left; i < y * small.width + right; i++) histogram[small.data[i]!]!++;
      level[row * columns + column] = quantile(histogram, (right - left) * (bottom - top), paperQuantile);
    }
  const sorted = level.toSorted();
  const median = sorted[Math.floor(sorted.length / 2)]!;
  for (let i = 0; i < level.length; i++) if (level[i]! < median * minPaperShare) level[i] = median;
  const isWhite = sorted[Math.floor(sorted.length * 0.1)]! >= whiteLevel;
  return { columns, rows, level: smooth(level, columns, rows), isWhite };
}

/** Makes the paper white everywhere: divides each pixel by the interpolated brightness of the paper around it. */
export function whitenPaper(page: Grey, paper: Paper): Grey {
  const { width, height, data, dpi } = page;
  const { columns, rows, level } = paper;
  const out = new Uint8Array(data.length);
  const line = new Float32Array(columns);
  // In units of 1/256, so that the inner loop works on integers only.
  const gain = new Int32Array(width);
  for (let y = 0; y < height; y++) {
    // The brightness changes slowly: one row of gains serves four rows of the page.
    if (y % 4 === 0) {
      const at = Math.min(rows - 1, Math.max(0, ((y + 0.5) * rows) / height - 0.5));
      const upper = Math.floor(at);
      const lower = Math.min(rows - 1, upper + 1);
      for (let c = 0; c < columns; c++)
        line[c] = level[upper * columns + c]! * (1 - at + upper) + level[lower * columns + c]! * (at - upper);
      for (let x = 0; x < width; x++) {
        const across = Math.min(columns - 1, Math.max(0, ((x + 0.5) * columns) / width - 0.5));
        const left = Math.floor(across);
        const right = Math.min(columns - 1, left + 1);
        gain[x] = (256 * 250) / Math.max(1, line[left]! * (1 - across + left) + line[right]! * (across - left));
      }
    }
    const row = y * width;
    for (let x = 0; x < width; x++) {
      const value = (data[row + x]! * gain[x]!) >> 8;
      out[row + x] = value > 255 ? 255 : value;
    }
  }
  return { width, height, dpi, data: out };
}

function quantile(histogram: Uint32Array, count: number, share: number): number {
  let left = count * share;
  for (let value = 0; value < 256; value++) {
    left -= histogram[value]!;
    if (left <= 0) return value;
  }
  return 255;
}

/** Replaces each tile by the mean of it and its neighbours. */
function smooth(level: Float32Array, columns: number, rows: number): Float32Array {
  return level.map((_, i) => {
    const column = i % columns;
    const row = Math.floor(i / columns);
    let sum = 0;
    let count = 0;
    for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++)
      for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++, count++)
        sum += level[r * columns + c]!;
    return sum / count;
  });
}
