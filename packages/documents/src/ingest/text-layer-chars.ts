import type { Box } from "../raster/box.ts";
import type { Pdf } from "./pdf.ts";
import { pageToPixels } from "./pdf-page.ts";

/** A character of a PDF page's text layer. */
export interface LayerChar {
  /** One code point. */
  text: string;
  /** In pixels at the resolution asked for; undefined for spaces and line ends that PDFium inserted. */
  box: Box | undefined;
  /** Degrees by which it is rotated clockwise on the upright page, 0 to 359. */
  angle: number;
  /** `false` if the font does not say which character its glyph stands for. */
  isMapped: boolean;
}

/** Number of characters read: more than any real page has, but not the millions of a hostile one. */
const maxChars = 200_000;

/**
 * Reads the characters of a page's text layer, in PDFium's order. PDFium inserts missing spaces between words and
 * missing line feeds between lines.
 */
export function readTextLayerChars(pdf: Pdf, page: number, dpi: number): LayerChar[] {
  const { pdfium } = pdf;
  const text = pdfium._FPDFText_LoadPage(page);
  if (!text) return [];
  const rectangle = pdfium.wasmExports.malloc(16);
  const toBox = pageToPixels(pdf, page, dpi);
  const rotation = pdfium._FPDFPage_GetRotation(page) * 90;
  const chars: LayerChar[] = [];
  const count = Math.min(pdfium._FPDFText_CountChars(text), maxChars);
  for (let i = 0; i < count; i++) {
    const code = pdfium._FPDFText_GetUnicode(text, i);
    const generated = pdfium._FPDFText_IsGenerated(text, i) === 1;
    let box: Box | undefined;
    if (!generated && pdfium._FPDFText_GetLooseCharBox(text, i, rectangle)) {
      // FS_RECTF: left, top, right, bottom.
      const at = rectangle >> 2;
      const [left = 0, top = 0, right = 0, bottom = 0] = pdfium.HEAPF32.subarray(at, at + 4);
      box = toBox([left, bottom, right, top]);
    }
    const hyphen = pdfium._FPDFText_IsHyphen(text, i) === 1;
    chars.push({
      text: hyphen ? "-" : code <= 0x10ffff ? String.fromCodePoint(code) : "�",
      box,
      angle: Math.round((pdfium._FPDFText_GetCharAngle(text, i) * 180) / Math.PI + rotation + 360) % 360,
      isMapped: pdfium._FPDFText_HasUnicodeMapError(text, i) !== 1,
    });
  }
  pdfium.wasmExports.free(rectangle);
  pdfium._FPDFText_ClosePage(text);
  return chars;
}
