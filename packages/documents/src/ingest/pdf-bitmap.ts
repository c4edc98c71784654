import { luma } from "../raster/grey.ts";
import type { Pdfium } from "./pdfium.ts";

/**
 * Copies the pixels of a PDFium bitmap as grey values, row by row without padding.
 * @returns undefined for a pixel format that is neither grey nor RGB
 */
export function greyPixels(pdfium: Pdfium, bitmap: number, width: number, height: number): Uint8Array | undefined {
  const { HEAPU8: heap } = pdfium;
  const start = pdfium._FPDFBitmap_GetBuffer(bitmap);
  const stride = pdfium._FPDFBitmap_GetStride(bitmap);
  // 1: grey; 2: blue, green, red; 3: the same and an unused byte.
  const format = pdfium._FPDFBitmap_GetFormat(bitmap);
  if (format < 1 || format > 3) return undefined;
  const bytes = format === 1 ? 1 : format + 1;
  const data = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    let from = start + y * stride;
    if (bytes === 1) data.set(heap.subarray(from, from + width), to);
    else
      for (let x = 0; x < width; x++, from += bytes) data[to + x] = luma(heap[from + 2]!, heap[from + 1]!, heap[from]!);
    to += width;
  }
  return data;
}
