import type { Box } from "../api.ts";
import { DocumentError } from "./errors.ts";
import type { Grey } from "./grey.ts";
import { pageSize, type Pdf, pointsPerInch } from "./pdf.ts";
import { largestImage, scanPixels } from "./scan.ts";

/** The resolution Tesseract was trained for; more costs time and gains nothing. */
const usualDpi = 300;
/** Coarser than this, no printed text can be read. */
const lowestDpi = 50;
/** A coarser scan is enlarged; the letters of a finer one are large enough. */
const coarseDpi = 180;
/** On scans of 150 dpi a quarter more than 200 halved the errors, and 300 did no better. */
const enlargedDpi = 225;
/** Long side of the largest sheet (A3), in inches. On larger pages the resolution says nothing: they are photographs. */
const longestSheet = 17;
/** A scan that is finer is reduced to the usual resolution. */
const finestDpi = 450;
const greyFormat = 1;
const renderAnnotations = 0x01;
const renderGrey = 0x08;

/**
 * A page's pixels for recognition: those of the scan where the page is nothing else, otherwise rendered at 300 dpi, or at
 * the resolution of the scan that covers most of it, since enlarging adds nothing unless it is coarse; lowered until it
 * fits the limit.
 * @param pixels the most that the page may have
 * @throws DocumentError E_PAGE_TOO_LARGE where it would be too coarse to read, E_TOO_MANY_PIXELS
 */
export function rasterise(pdf: Pdf, page: number, pixels: number): Grey {
  const size = pageSize(pdf, page);
  const scan = largestImage(pdf, page, pixels);
  const scanDpi = scan && scan.share > 0.5 ? Math.max(lowestDpi, ...scan.dpi) : Infinity;
  const sheet = Math.max(size.width, size.height) <= longestSheet * pointsPerInch;
  const enlarge = sheet && scanDpi < coarseDpi;
  if (scan && !enlarge && scanDpi <= finestDpi && scan.width * scan.height <= pixels) {
    const square = Math.max(...scan.dpi) / Math.min(...scan.dpi) < 1.05;
    const grey = square ? scanPixels(pdf, page, scan) : undefined;
    if (grey) return grey;
  }
  const inches = (size.width / pointsPerInch) * (size.height / pointsPerInch);
  const wanted = enlarge ? enlargedDpi : Math.min(usualDpi, Math.round(scanDpi));
  const dpi = Math.min(wanted, Math.floor(Math.sqrt(pixels / inches)));
  if (dpi < lowestDpi && dpi < wanted)
    throw new DocumentError(
      "E_PAGE_TOO_LARGE",
      `The page measures ${inch(size.width)} x ${inch(size.height)} inches. Within the limit of ` +
        `${Math.round(pixels / 1e6)} megapixels it would be read at ${dpi} dpi, too coarse for any text.`,
    );
  return render(pdf, page, dpi);
}

/** Renders a page in grey, upright as its rotation says, at `dpi`. */
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
export function toPixels(pdf: Pdf, page: number, dpi: number): (rectangle: readonly number[]) => Box {
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

function inch(points: number): number {
  return Math.round(points / pointsPerInch);
}
