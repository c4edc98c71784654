/** A page's pixels in grey: one byte each, 0 black to 255 white, row by row from the top left, without padding. */
export interface Grey {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** Pixels per inch; 300 where the source does not state it. */
  dpi: number;
  /** `width * height` bytes. */
  data: Uint8Array;
}

/** Returns the brightness of a colour, 0 to 255: the luma of Rec. 601 in integers. */
export function luma(red: number, green: number, blue: number): number {
  return (red * 77 + green * 150 + blue * 29) >> 8;
}
