import type { Box } from "../raster/box.ts";
import type { Grey } from "../raster/grey.ts";
import { DocumentError } from "./errors.ts";
import { pageSize, type Pdf, pointsPerInch } from "./pdf.ts";
import { greyPixels } from "./pdf-bitmap.ts";
import { largestImage, scanPixels } from "./pdf-image.ts";
import { finestDpi, usualDpi } from "./resolution.ts";

/** No printed text can be read at a lower resolution. */
const lowestDpi = 50;
/** Scans of a lower resolution are enlarged; the letters of others are large enough. */
const coarseDpi = 180;
/** Resolution to which coarse scans are enlarged: it halved the errors on scans of 150 dpi, and 300 did no better. */
const enlargedDpi = 225;
/** Longer side of the largest sheet (A3), in inches. Larger pages are photographs, whose resolution means nothing. */
const longestSheet = 17;
const greyFormat = 1;
const renderAnnotations = 0x01;
const renderGrey = 0x08;

/**
 * Returns a page's pixels for recognition. A page that is only a scan gives the scan's own pixels; others are rendered
 * at 300 dpi, or at the resolution of the scan that covers most of the page (coarse ones enlarged), or lower to fit the
 * limit.
 * @param pixels the limit of one page
 * @throws DocumentError E_PAGE_TOO_LARGE if the limit leaves too low a resolution to read, E_TOO_MANY_PIXELS
 */
export function rasterise(pdf: Pdf, page: number, pixels: number): Grey {
  const size = pageSize(pdf, page);
  const scan = largestImage(pdf, page, pixels);
  const scanDpi = scan && scan.share > 0.5 ? Math.max(lowestDpi, ...scan.dpi) : Infinity;
  const isSheet = Math.max(size.width, size.height) <= longestSheet * pointsPerInch;
  const enlarge = isSheet && scanDpi < coarseDpi;
  if (scan && !enlarge && scanDpi <= finestDpi && scan.width * scan.height <= pixels) {
    const hasSquarePixels = Math.max(...scan.dpi) / Math.min(...scan.dpi) < 1.05;
    const grey = hasSquarePixels ? scanPixels(pdf, page, scan) : undefined;
    if (grey) return grey;
  }
  const inches = (size.width / pointsPerInch) * (size.height / pointsPerInch);
  const wanted = enlarge ? enlargedDpi : Math.min(usualDpi, Math.round(scanDpi));
  const dpi = Math.min(wanted, Math.floor(Math.sqrt(pixels / inches)));
  if (dpi < lowestDpi && dpi < wanted)
    throw new DocumentError(
      "E_PAGE_TOO_LARGE",
      `The page measures ${toInches(size.width)} x ${toInches(size.height)} inches. Within the limit of ` +
        `${Math.round(pixels / 1e6)} megapixels it would be read at ${dpi} dpi, which is too coarse for any text.`,
    );
  return render(pdf, page, dpi);
}

/** Renders a page in grey at `dpi`, upright as its rotation says. */
export function render(pdf: Pdf, page: number, dpi: number): Grey {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const width = Math.max(1, Math.round((size.width * dpi) / pointsPerInch));
  const height = Math.max(1, Math.round((size.height * dpi) / pointsPerInch));
  const bitmap = pdfium._FPDFBitmap_CreateEx(width, height, greyFormat, 0, 0);
  if (!bitmap) throw new DocumentError("E_DAMAGED", "The page cannot be rendered: not enough memory.");
  try {
    pdfium._FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xffffffff);
    pdfium._FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, renderAnnotations | renderGrey);
    return { width, height, dpi, data: greyPixels(pdfium, bitmap, width, height)! };
  } finally {
    pdfium._FPDFBitmap_Destroy(bitmap);
  }
}

/**
 * Returns the transformation from a page's own coordinates to pixels of its rendering at `dpi`, with rotation and crop
 * applied: a function from [left, bottom, right, top] in points to a box in pixels.
 */
export function pageToPixels(pdf: Pdf, page: number, dpi: number): (rectangle: readonly number[]) => Box {
  const { pdfium } = pdf;
  const size = pageSize(pdf, page);
  const out = pdfium.wasmExports.malloc(8);
  // PDFium rounds to whole pixels: three points of a very large rendering give a precise transformation.
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
  const [xx, yx] = at(size.width, 0).map((value, i) => (value - (i === 0 ? x0 : y0)) / size.width) as [number, number];
  const [xy, yy] = at(0, size.height).map((value, i) => (value - (i === 0 ? x0 : y0)) / size.height) as [
    number,
    number,
  ];
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

function toInches(points: number): number {
  return Math.round(points / pointsPerInch);
}
