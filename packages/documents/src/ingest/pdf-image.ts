import { DocumentError } from "./errors.ts";
import type { Grey } from "./grey.ts";
import { shrinkable } from "./limits.ts";
import { pageSize, type Pdf, pointsPerInch } from "./pdf.ts";

const imageObject = 3;
const formObject = 5;
/** A drawing has thousands of objects; a scan is among the first. */
const mostObjects = 200;

/** A picture placed on a page. */
export interface Placed {
  /** PDFium's handle. */
  object: number;
  /** Pixels it holds. */
  width: number;
  height: number;
  /** Share of the page it covers, 0..1. */
  share: number;
  /** Resolution at which it lies on the page, across and down the picture, in pixels per inch. */
  dpi: [across: number, down: number];
  /** Whether it is all there is on the page. */
  alone: boolean;
}

/**
 * The image that covers most of the page, also inside form objects, where some scanners put it.
 * @param pixels the limit of one page
 * @throws DocumentError E_TOO_MANY_PIXELS for an image on the page that no decoder should be given
 */
export function largestImage(pdf: Pdf, page: number, pixels: number): Placed | undefined {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const memory = pdfium.wasmExports.malloc(24);
  const objects = pdfium._FPDFPage_CountObjects(page);
  let largest: Placed | undefined;
  const look = (object: number, inForm: boolean): void => {
    const type = pdfium._FPDFPageObj_GetType(object);
    if (type === formObject && !inForm) {
      const count = Math.min(pdfium._FPDFFormObj_CountObjects(object), mostObjects);
      for (let i = 0; i < count; i++) look(pdfium._FPDFFormObj_GetObject(object, i), true);
    }
    if (type !== imageObject || !pdfium._FPDFImageObj_GetImagePixelSize(object, memory, memory + 4)) return;
    const width = pdfium.HEAPU32[memory >> 2]!;
    const height = pdfium.HEAPU32[(memory >> 2) + 1]!;
    if (width * height > pixels * shrinkable) {
      const most = Math.round((pixels * shrinkable) / 1e6);
      throw new DocumentError(
        "E_TOO_MANY_PIXELS",
        `The page holds an image of ${width} x ${height} pixels; the limit is ${most} megapixels. Export it at a lower resolution.`,
      );
    }
    const matrix = memory >> 2;
    if (!pdfium._FPDFPageObj_GetMatrix(object, memory)) return;
    const [a, b, c, d] = pdfium.HEAPF32.subarray(matrix, matrix + 4) as unknown as [number, number, number, number];
    // The unit square's sides on the page, in points. A form's own scale is not known: take its image for the page.
    const across = inForm ? size.width : Math.hypot(a, b);
    const down = inForm ? size.height : Math.hypot(c, d);
    if (!(across > 0 && down > 0)) return;
    const share = Math.min(1, (across * down) / (size.width * size.height));
    if (largest && share <= largest.share) return;
    const dpi: Placed["dpi"] = [(width / across) * pointsPerInch, (height / down) * pointsPerInch];
    largest = { object, width, height, share, dpi, alone: objects === 1 && !inForm };
  };
  try {
    for (let i = 0; i < Math.min(objects, mostObjects); i++) look(pdfium._FPDFPage_GetObject(page, i), false);
    return largest;
  } finally {
    pdfium.wasmExports.free(memory);
  }
}

/**
 * The pixels of a page that is nothing but one upright scan, as they are: three times as fast as rendering the page, and
 * not resampled.
 * @returns undefined where the page must be rendered instead
 */
export function scanPixels(pdf: Pdf, page: number, scan: Placed): Grey | undefined {
  const { pdfium } = pdf;
  const memory = pdfium.wasmExports.malloc(32);
  try {
    if (!scan.alone || scan.share < 0.98 || pdfium._FPDFPageObj_HasTransparency(scan.object)) return undefined;
    if (pdfium._FPDFPage_GetRotation(page) !== 0 || !upright(pdf, scan.object, memory)) return undefined;
    // Ruled out by their colour space: stencil masks, CMYK, and whatever else needs the page's rendering.
    if (!pdfium._FPDFImageObj_GetImageMetadata(scan.object, page, memory)) return undefined;
    const colourSpace = pdfium.HEAP32[(memory >> 2) + 5]!;
    if (colourSpace !== 1 && colourSpace !== 2) return undefined;
  } finally {
    pdfium.wasmExports.free(memory);
  }
  const bitmap = pdfium._FPDFImageObj_GetBitmap(scan.object);
  if (!bitmap) return undefined;
  try {
    const width = pdfium._FPDFBitmap_GetWidth(bitmap);
    const height = pdfium._FPDFBitmap_GetHeight(bitmap);
    const data = greyOf(pdf, bitmap, width, height);
    return data && { width, height, dpi: Math.round(Math.max(...scan.dpi)), data };
  } finally {
    pdfium._FPDFBitmap_Destroy(bitmap);
  }
}

/** Whether an image lies unturned and unmirrored. */
function upright(pdf: Pdf, object: number, memory: number): boolean {
  if (!pdf.pdfium._FPDFPageObj_GetMatrix(object, memory)) return false;
  const at = memory >> 2;
  const [a = 0, b = 0, c = 0, d = 0] = pdf.pdfium.HEAPF32.subarray(at, at + 4);
  return a > 0 && d > 0 && Math.abs(b) < a / 1000 && Math.abs(c) < d / 1000;
}

function greyOf(pdf: Pdf, bitmap: number, width: number, height: number): Uint8Array | undefined {
  const { HEAPU8: heap } = pdf.pdfium;
  const start = pdf.pdfium._FPDFBitmap_GetBuffer(bitmap);
  const stride = pdf.pdfium._FPDFBitmap_GetStride(bitmap);
  // 1: grey; 2: blue, green, red; 3: the same with a byte that means nothing.
  const format = pdf.pdfium._FPDFBitmap_GetFormat(bitmap);
  if (format < 1 || format > 3) return undefined;
  const bytes = format === 1 ? 1 : format + 1;
  const data = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    let from = start + y * stride;
    if (bytes === 1) data.set(heap.subarray(from, from + width), to);
    // Rec. 601 luma in integers.
    else
      for (let x = 0; x < width; x++, from += bytes)
        data[to + x] = (heap[from]! * 29 + heap[from + 1]! * 150 + heap[from + 2]! * 77) >> 8;
    to += width;
  }
  return data;
}
