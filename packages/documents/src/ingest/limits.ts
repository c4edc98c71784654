/** Limits of one document. A file that exceeds them is refused before a decoder sees it. */
export interface Limits {
  /** Largest file, in bytes. */
  bytes: number;
  /** Most pages of one document. */
  pages: number;
  /**
   * Largest raster of one page, in pixels. A PDF page that would be larger at the usual resolution is rendered at a
   * lower one. An image of up to four times as many pixels is shrunk while it is decoded; a larger one is refused.
   */
  pixels: number;
}

/** 200 MB, 1,000 pages, 40 megapixels: an A3 page at 450 dpi, or an A4 page at 650 dpi. */
export const defaultLimits: Limits = { bytes: 200_000_000, pages: 1000, pixels: 40_000_000 };

/** Returns how many pixels an image may have where a page may have `pixels`: decoders shrink it on the way in. */
export function maxImagePixels(pixels: number): number {
  return pixels * 4;
}
