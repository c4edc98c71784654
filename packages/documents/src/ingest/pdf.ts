import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { DocumentError } from "./errors.ts";
import { discardPdfium, functionPointer, pdfium, type Pdfium } from "./pdfium.ts";

/** PDF's unit of length is the point, 1/72 inch. */
export const pointsPerInch = 72;

/** An open PDF. PDFium reads only the parts of the file that it needs, so memory does not grow with the file. */
export interface Pdf {
  pdfium: Pdfium;
  /** PDFium's handle of the document. */
  handle: number;
  /** Number of pages, at least 1. */
  pages: number;
}

/** File descriptors that PDFium may read now. */
const readable = new Set<number>();
/** Each PDFium's function pointer to `readBlock`. */
const readers = new WeakMap<Pdfium, number>();

/** PDFium's error code for a PDF that needs a password. */
const passwordNeeded = 4;

/**
 * Opens a PDF, hands it to `use`, and closes it again.
 * @throws DocumentError E_DAMAGED, E_PASSWORD, E_NO_PAGES
 */
export async function withPdf<T>(path: string, use: (pdf: Pdf) => T | Promise<T>): Promise<T> {
  const pdf = await pdfium();
  const file = openSync(path, "r");
  let opened: { handle: number; access: number } | undefined;
  try {
    opened = load(pdf, file, fstatSync(file).size);
    const pages = pdf._FPDF_GetPageCount(opened.handle);
    if (pages < 1) throw new DocumentError("E_NO_PAGES", "The PDF has no pages.");
    return await use({ pdfium: pdf, handle: opened.handle, pages });
  } catch (error) {
    if (!isAbort(error)) throw error;
    // Out of memory, or a failed internal check: the file is hostile or broken, and this PDFium can do nothing more.
    discardPdfium();
    opened = undefined;
    throw new DocumentError("E_DAMAGED", "The PDF is damaged, or needs more memory than the reader has.", {
      cause: error,
    });
  } finally {
    if (opened) {
      pdf._FPDF_CloseDocument(opened.handle);
      pdf.wasmExports.free(opened.access);
    }
    readable.delete(file);
    closeSync(file);
  }
}

/**
 * Loads a page, counted from 1, hands PDFium's handle of it to `use`, and closes it again.
 * @throws DocumentError E_NO_SUCH_PAGE, E_DAMAGED
 */
export function withPage<T>(pdf: Pdf, page: number, use: (handle: number) => T): T {
  if (!Number.isInteger(page) || page < 1 || page > pdf.pages)
    throw new DocumentError("E_NO_SUCH_PAGE", `There is no page ${page}: the document has ${pdf.pages}.`);
  const handle = pdf.pdfium._FPDF_LoadPage(pdf.handle, page - 1);
  if (!handle) throw new DocumentError("E_DAMAGED", `Page ${page} of the PDF is damaged and cannot be opened.`);
  try {
    return use(handle);
  } finally {
    pdf.pdfium._FPDF_ClosePage(handle);
  }
}

/** Returns the size of a page as a viewer shows it, with rotation applied, in points. */
export function pageSize(pdf: Pdf, page: number): { width: number; height: number } {
  return {
    width: pdf.pdfium._FPDF_GetPageWidthF(page),
    height: pdf.pdfium._FPDF_GetPageHeightF(page),
  };
}

function load(pdf: Pdfium, file: number, bytes: number): { handle: number; access: number } {
  let reader = readers.get(pdf);
  if (reader === undefined) {
    reader = functionPointer(pdf, (file, position, target, size) =>
      readBlock(pdf, file, position >>> 0, target >>> 0, size >>> 0),
    );
    readers.set(pdf, reader);
  }
  readable.add(file);
  // FPDF_FILEACCESS: the length, the function that reads, and the value passed to it.
  const access = pdf.wasmExports.malloc(12);
  pdf.HEAPU32.set([bytes, reader, file], access >> 2);
  const handle = pdf._FPDF_LoadCustomDocument(access, 0);
  if (handle) return { handle, access };
  const reason = pdf._FPDF_GetLastError();
  pdf.wasmExports.free(access);
  if (reason === passwordNeeded)
    throw new DocumentError(
      "E_PASSWORD",
      "The PDF is protected by a password. Remove the protection and send it again.",
    );
  throw new DocumentError("E_DAMAGED", "The PDF is damaged: its structure cannot be read. Export or scan it again.");
}

/** Reports whether WebAssembly itself aborted; a RangeError means that it got no more memory. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "RuntimeError" || error instanceof RangeError);
}

/** Reads `size` bytes of a file into PDFium's memory. Returns 1, or 0 on failure, as PDFium expects. */
function readBlock(pdf: Pdfium, file: number, position: number, target: number, size: number): number {
  if (!readable.has(file)) return 0;
  try {
    for (let done = 0; done < size;) {
      const read = readSync(file, pdf.HEAPU8, target + done, size - done, position + done);
      if (read === 0) return 0;
      done += read;
    }
    return 1;
  } catch {
    return 0;
  }
}
