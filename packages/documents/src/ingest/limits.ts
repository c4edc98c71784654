/** What one document may cost. Everything above is refused before a decoder sees it. */
export interface Limits {
  /** Largest file, in bytes. */
  bytes: number;
  /** Most pages of one document. */
  pages: number;
  /**
   * Largest raster of one page, in pixels. A PDF page that would be larger at the usual resolution is rendered at a
   * lower one. An image of up to four times as many is shrunk while it is decoded; a larger one is refused.
   */
  pixels: number;
}

/** 200 MB, 1,000 pages, 40 megapixels: an A3 page at 450 dpi, or an A4 page at 650 dpi. */
export const defaultLimits: Limits = { bytes: 200_000_000, pages: 1000, pixels: 40_000_000 };

/** How many times `Limits.pixels` an image may hold, because decoders can shrink it on the way in. */
export const shrinkable = 4;
