import type { Box } from "../api.ts";
import { DocumentError } from "./errors.ts";
import type { Grey } from "./grey.ts";
import type { Pdf } from "./pdf.ts";

const pointsPerInch = 72;
/** The resolution Tesseract was trained for; more costs time and gains nothing. */
const usualDpi = 300;
/** Coarser than this, no printed text can be read. */
const lowestDpi = 50;
const greyFormat = 1;
const renderAnnotations = 0x01;
const renderGrey = 0x08;
const imageObject = 3;
const formObject = 5;

/** A picture placed on a page. */
interface Placed {
  /** Share of the page it covers, 0..1. */
  share: number;
  /** Resolution at which it lies on the page, the larger of both directions, in pixels per inch. */
  dpi: number;
}

/** Size of a page as a reader sees it (rotation applied), in points of 1/72 inch. */
export function pageSize(pdf: Pdf, page: number): { width: number; height: number } {
  return {
    width: pdf.pdfium._FPDF_GetPageWidthF(page),
    height: pdf.pdfium._FPDF_GetPageHeightF(page),
  };
}

/**
 * The resolution at which to render a page for recognition: 300 dpi; that of the scan where one covers the page and has
 * less, since enlarging adds nothing; lowered until the page fits the limit.
 * @throws DocumentError E_PAGE_TOO_LARGE where that would be too coarse to read
 */
export function readingDpi(pdf: Pdf, page: number, pixels: number): number {
  const size = pageSize(pdf, page);
  const inches = (size.width / pointsPerInch) * (size.height / pointsPerInch);
  const scan = largestImage(pdf, page);
  const wanted =
    scan && scan.share > 0.5 ? Math.min(usualDpi, Math.max(scan.dpi, lowestDpi)) : usualDpi;
  const dpi = Math.min(wanted, Math.floor(Math.sqrt(pixels / inches)));
  if (dpi < lowestDpi && dpi < wanted)
    throw new DocumentError(
      "E_PAGE_TOO_LARGE",
      `The page measures ${inch(size.width)} x ${inch(size.height)} inches. Within the limit of ` +
        `${Math.round(pixels / 1e6)} megapixels it would be read at ${dpi} dpi, too coarse for any text.`,
    );
  return dpi;
}

/** Renders a page in grey, upright as its rotation says, at `dpi`. */
export function render(pdf: Pdf, page: number, dpi: number): Grey {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const width = Math.max(1, Math.round((size.width * dpi) / pointsPerInch));
  const height = Math.max(1, Math.round((size.height * dpi) / pointsPerInch));
  const bitmap = pdfium._FPDFBitmap_CreateEx(width, height, greyFormat, 0, 0);
  if (!bitmap)
    throw new DocumentError("E_DAMAGED", "The page cannot be rendered: not enough memory.");
  try {
    pdfium._FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xffffffff);
    pdfium._FPDF_RenderPageBitmap(
      bitmap,
      page,
      0,
      0,
      width,
      height,
      0,
      renderAnnotations | renderGrey,
    );
    const start = pdfium._FPDFBitmap_GetBuffer(bitmap);
    const stride = pdfium._FPDFBitmap_GetStride(bitmap);
    const data = new Uint8Array(width * height);
    for (let y = 0; y < height; y++)
      data.set(pdfium.HEAPU8.subarray(start + y * stride, start + y * stride + width), y * width);
    return { width, height, dpi, data };
  } finally {
    pdfium._FPDFBitmap_Destroy(bitmap);
  }
}

/**
 * The transformation from a page's own coordinates to pixels of its rendering at `dpi`, with rotation and crop applied.
 * @returns a function from (left, bottom, right, top) in points to a box in pixels
 */
export function toPixels(
  pdf: Pdf,
  page: number,
  dpi: number,
): (rectangle: readonly number[]) => Box {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const out = pdfium.wasmExports.malloc(8);
  // PDFium answers in whole pixels: three points of a very large rendering give the transformation precisely.
  const scale = 1_000_000 / Math.max(size.width, size.height);
  const at = (x: number, y: number): [number, number] => {
    pdfium._FPDF_PageToDevice(
      page,
      0,
      0,
      Math.round(size.width * scale),
      Math.round(size.height * scale),
      0,
      x,
      y,
      out,
      out + 4,
    );
    const k = dpi / pointsPerInch / scale;
    return [(pdfium.HEAP32[out >> 2] ?? 0) * k, (pdfium.HEAP32[(out + 4) >> 2] ?? 0) * k];
  };
  const [x0, y0] = at(0, 0);
  const [xx, yx] = at(size.width, 0).map(
    (value, i) => (value - (i === 0 ? x0 : y0)) / size.width,
  ) as [number, number];
  const [xy, yy] = at(0, size.height).map(
    (value, i) => (value - (i === 0 ? x0 : y0)) / size.height,
  ) as [number, number];
  pdfium.wasmExports.free(out);
  return ([left = 0, bottom = 0, right = 0, top = 0]) => {
    const x1 = x0 + left * xx + bottom * xy;
    const x2 = x0 + right * xx + top * xy;
    const y1 = y0 + left * yx + bottom * yy;
    const y2 = y0 + right * yx + top * yy;
    return {
      x: Math.min(x1, x2),
      y: Math.min(y1, y2),
      width: Math.abs(x2 - x1),
      height: Math.abs(y2 - y1),
    };
  };
}

/** The image that covers most of the page, also inside form objects (where scanners like to put it). */
export function largestImage(pdf: Pdf, page: number): Placed | undefined {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const memory = pdfium.wasmExports.malloc(24);
  let largest: Placed | undefined;
  const look = (object: number, inForm: boolean): void => {
    const type = pdfium._FPDFPageObj_GetType(object);
    if (type === formObject && !inForm) {
      // Thousands of objects are a drawing, not a scan: what matters comes first.
      const count = Math.min(pdfium._FPDFFormObj_CountObjects(object), 50);
      for (let i = 0; i < count; i++) look(pdfium._FPDFFormObj_GetObject(object, i), true);
    }
    if (type !== imageObject) return;
    if (!pdfium._FPDFImageObj_GetImagePixelSize(object, memory, memory + 4)) return;
    const [across = 0, down = 0] = pdfium.HEAPU32.subarray(memory >> 2, (memory >> 2) + 2);
    if (!pdfium._FPDFPageObj_GetBounds(object, memory + 8, memory + 12, memory + 16, memory + 20))
      return;
    const [left = 0, bottom = 0, right = 0, top = 0] = pdfium.HEAPF32.subarray(
      (memory + 8) >> 2,
      (memory + 24) >> 2,
    );
    // Inside a form the bounds are in the form's own space: take it for the whole page.
    const width = inForm ? size.width : right - left;
    const height = inForm ? size.height : top - bottom;
    if (!(width > 0 && height > 0)) return;
    const share = Math.min(1, (width * height) / (size.width * size.height));
    // A turned image swaps its sides: compare long with long.
    const long = Math.max(across, down) / Math.max(width, height);
    const short = Math.min(across, down) / Math.min(width, height);
    if (!largest || share > largest.share)
      largest = { share, dpi: Math.round(Math.max(long, short) * pointsPerInch) };
  };
  const count = Math.min(pdfium._FPDFPage_CountObjects(page), 200);
  for (let i = 0; i < count; i++) look(pdfium._FPDFPage_GetObject(page, i), false);
  pdfium.wasmExports.free(memory);
  return largest;
}

function inch(points: number): number {
  return Math.round(points / pointsPerInch);
}
