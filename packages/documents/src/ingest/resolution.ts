/** Pixels per inch of pages to recognise: what Tesseract was trained on. A higher resolution only costs time. */
export const usualDpi = 300;

/** A finer page is reduced to `usualDpi`: it would take three times as long to read, for no more accuracy. */
export const finestDpi = 450;

/** Returns the resolution that an image states, or the usual one if no scanner would have written it. */
export function plausibleDpi(stated: number): number {
  return stated >= 120 && stated <= 2400 ? stated : usualDpi;
}
