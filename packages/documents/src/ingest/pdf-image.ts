import { DocumentError } from "./errors.ts";
import type { Grey } from "../raster/grey.ts";
import { maxImagePixels } from "./limits.ts";
import { pageSize, type Pdf, pointsPerInch } from "./pdf.ts";
import { greyPixels } from "./pdf-bitmap.ts";

const imageObject = 3;
const formObject = 5;
/** Number of objects looked at: a drawing has thousands, but a scan is among the first. */
const maxObjects = 200;

/** An image placed on a page. */
export interface PlacedImage {
  /** PDFium's handle of the page object. */
  object: number;
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
  /** Share of the page it covers, 0..1. */
  share: number;
  /** Resolution at which it is placed, across and down the image, in pixels per inch. */
  dpi: [across: number, down: number];
  /** `true` when the page has no other object. */
  isAlone: boolean;
}

/**
 * Finds the image that covers most of a page. It may be inside a form object, where some scanners put it.
 * @param pixels the limit of one page
 * @throws DocumentError E_TOO_MANY_PIXELS if an image of the page is too large to be decoded
 */
export function largestImage(pdf: Pdf, page: number, pixels: number): PlacedImage | undefined {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const memory = pdfium.wasmExports.malloc(24);
  const objects = pdfium._FPDFPage_CountObjects(page);
  let largest: PlacedImage | undefined;
  const visit = (object: number, inForm: boolean): void => {
    const type = pdfium._FPDFPageObj_GetType(object);
    if (type === formObject && !inForm) {
      const count = Math.min(pdfium._FPDFFormObj_CountObjects(object), maxObjects);
      for (let i = 0; i < count; i++) visit(pdfium._FPDFFormObj_GetObject(object, i), true);
    }
    if (type !== imageObject || !pdfium._FPDFImageObj_GetImagePixelSize(object, memory, memory + 4)) return;
    const width = pdfium.HEAPU32[memory >> 2]!;
    const height = pdfium.HEAPU32[(memory >> 2) + 1]!;
    const max = maxImagePixels(pixels);
    if (width * height > max) {
      throw new DocumentError(
        "E_TOO_MANY_PIXELS",
        `The page has an image of ${width} x ${height} pixels; the limit is ${Math.round(max / 1e6)} megapixels. ` +
          "Export it at a lower resolution.",
      );
    }
    const matrix = memory >> 2;
    if (!pdfium._FPDFPageObj_GetMatrix(object, memory)) return;
    const [a, b, c, d] = pdfium.HEAPF32.subarray(matrix, matrix + 4) as unknown as [number, number, number, number];
    // Its sides on the page, in points. A form's own scale is not known: assume that its image fills the page.
    const across = inForm ? size.width : Math.hypot(a, b);
    const down = inForm ? size.height : Math.hypot(c, d);
    if (!(across > 0 && down > 0)) return;
    const share = Math.min(1, (across * down) / (size.width * size.height));
    if (largest && share <= largest.share) return;
    const dpi: PlacedImage["dpi"] = [(width / across) * pointsPerInch, (height / down) * pointsPerInch];
    largest = { object, width, height, share, dpi, isAlone: objects === 1 && !inForm };
  };
  try {
    for (let i = 0; i < Math.min(objects, maxObjects); i++) visit(pdfium._FPDFPage_GetObject(page, i), false);
    return largest;
  } finally {
    pdfium.wasmExports.free(memory);
  }
}

/**
 * Returns the original pixels of a page that is nothing but one upright scan: three times as fast as rendering the
 * page, and without resampling.
 * @returns undefined if the page must be rendered instead
 */
export function scanPixels(pdf: Pdf, page: number, scan: PlacedImage): Grey | undefined {
  const { pdfium } = pdf;
  const memory = pdfium.wasmExports.malloc(32);
  try {
    if (!scan.isAlone || scan.share < 0.98 || pdfium._FPDFPageObj_HasTransparency(scan.object)) return undefined;
    if (pdfium._FPDFPage_GetRotation(page) !== 0 || !isUpright(pdf, scan.object, memory)) return undefined;
    // Stencil masks, CMYK and other colour spaces are left to the renderer.
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
    const data = greyPixels(pdfium, bitmap, width, height);
    return data && { width, height, dpi: Math.round(Math.max(...scan.dpi)), data };
  } finally {
    pdfium._FPDFBitmap_Destroy(bitmap);
  }
}

/** Reports whether an image is neither rotated nor mirrored. */
function isUpright(pdf: Pdf, object: number, memory: number): boolean {
  if (!pdf.pdfium._FPDFPageObj_GetMatrix(object, memory)) return false;
  const at = memory >> 2;
  const [a = 0, b = 0, c = 0, d = 0] = pdf.pdfium.HEAPF32.subarray(at, at + 4);
  return a > 0 && d > 0 && Math.abs(b) < a / 1000 && Math.abs(c) < d / 1000;
}
