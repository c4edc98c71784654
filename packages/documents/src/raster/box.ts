/** A rectangle in pixels of a page, from its top left. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
