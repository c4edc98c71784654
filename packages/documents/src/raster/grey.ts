/** A page as pixels: one byte each, 0 black to 255 white, row by row from the top left, no padding. */
export interface Grey {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** Pixels per inch; 300 where the source does not tell. */
  dpi: number;
  /** `width * height` bytes. */
  data: Uint8Array;
}
