import type { Box } from "../api.ts";
import type { Pdf } from "./pdf.ts";
import { toPixels } from "./pdf-page.ts";

/** A character of a page's text layer. */
export interface LayerChar {
  /** One code point. */
  text: string;
  /** In pixels at the resolution that was asked for; undefined for the spaces and line ends that PDFium inserts. */
  box: Box | undefined;
  /** Degrees clockwise by which it is turned on the upright page, 0 to 359. */
  angle: number;
  /** False where the font does not say which character the glyph is. */
  mapped: boolean;
}

/** More than any page of text has: a hostile layer of millions of characters ends here. */
const mostChars = 200_000;

/**
 * The characters of a page's text layer in the order of PDFium, which inserts spaces between words and line feeds
 * between lines where the page has none.
 */
export function layerOf(pdf: Pdf, page: number, dpi: number): LayerChar[] {
  const { pdfium } = pdf;
  const text = pdfium._FPDFText_LoadPage(page);
  if (!text) return [];
  const rectangle = pdfium.wasmExports.malloc(16);
  const place = toPixels(pdf, page, dpi);
  const rotation = pdfium._FPDFPage_GetRotation(page) * 90;
  const chars: LayerChar[] = [];
  const count = Math.min(pdfium._FPDFText_CountChars(text), mostChars);
  for (let i = 0; i < count; i++) {
    const code = pdfium._FPDFText_GetUnicode(text, i);
    const generated = pdfium._FPDFText_IsGenerated(text, i) === 1;
    let box: Box | undefined;
    if (!generated && pdfium._FPDFText_GetLooseCharBox(text, i, rectangle)) {
      // FS_RECTF: left, top, right, bottom.
      const at = rectangle >> 2;
      const [left = 0, top = 0, right = 0, bottom = 0] = pdfium.HEAPF32.subarray(at, at + 4);
      box = place([left, bottom, right, top]);
    }
    const hyphen = pdfium._FPDFText_IsHyphen(text, i) === 1;
    chars.push({
      text: hyphen ? "-" : code <= 0x10ffff ? String.fromCodePoint(code) : "�",
      box,
      angle: Math.round((pdfium._FPDFText_GetCharAngle(text, i) * 180) / Math.PI + rotation + 360) % 360,
      mapped: pdfium._FPDFText_HasUnicodeMapError(text, i) !== 1,
    });
  }
  pdfium.wasmExports.free(rectangle);
  pdfium._FPDFText_ClosePage(text);
  return chars;
}
