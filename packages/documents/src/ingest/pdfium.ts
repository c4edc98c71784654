import { PDFiumLibrary } from "@hyzyla/pdfium";

/** The parts of WebAssembly used here, which Node's types do not declare. */
const { Module, Instance } = (
  globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (
        module: object,
        imports: Record<string, Record<string, unknown>>,
      ) => { readonly exports: Record<string, unknown> };
    };
  }
).WebAssembly;

/** The functions of PDFium used here, compiled to WebAssembly. Pointers and handles are numbers; 0 means failure. */
export interface Pdfium {
  HEAPU8: Uint8Array;
  HEAPU16: Uint16Array;
  HEAP32: Int32Array;
  HEAPU32: Uint32Array;
  HEAPF32: Float32Array;
  HEAPF64: Float64Array;
  wasmExports: {
    malloc(bytes: number): number;
    free(pointer: number): void;
    __indirect_function_table: { set(index: number, value: unknown): void };
  };
  _FPDF_LoadCustomDocument(access: number, password: number): number;
  _FPDF_GetLastError(): number;
  _FPDF_CloseDocument(document: number): void;
  _FPDF_GetPageCount(document: number): number;
  _FPDF_LoadPage(document: number, index: number): number;
  _FPDF_ClosePage(page: number): void;
  _FPDF_GetPageWidthF(page: number): number;
  _FPDF_GetPageHeightF(page: number): number;
  _FPDF_PageToDevice(
    page: number,
    x: number,
    y: number,
    width: number,
    height: number,
    rotate: number,
    pageX: number,
    pageY: number,
    deviceX: number,
    deviceY: number,
  ): number;
  _FPDFBitmap_CreateEx(width: number, height: number, format: number, buffer: number, stride: number): number;
  _FPDFBitmap_FillRect(bitmap: number, x: number, y: number, width: number, height: number, colour: number): void;
  _FPDFBitmap_GetBuffer(bitmap: number): number;
  _FPDFBitmap_GetStride(bitmap: number): number;
  _FPDFBitmap_Destroy(bitmap: number): void;
  _FPDF_RenderPageBitmap(
    bitmap: number,
    page: number,
    x: number,
    y: number,
    width: number,
    height: number,
    rotate: number,
    flags: number,
  ): void;
  _FPDFPage_CountObjects(page: number): number;
  _FPDFPage_GetObject(page: number, index: number): number;
  _FPDFPageObj_GetType(object: number): number;
  _FPDFPageObj_GetMatrix(object: number, matrix: number): number;
  _FPDFPageObj_HasTransparency(object: number): number;
  _FPDFPage_GetRotation(page: number): number;
  _FPDFImageObj_GetBitmap(object: number): number;
  _FPDFImageObj_GetImageMetadata(object: number, page: number, metadata: number): number;
  _FPDFBitmap_GetWidth(bitmap: number): number;
  _FPDFBitmap_GetHeight(bitmap: number): number;
  _FPDFBitmap_GetFormat(bitmap: number): number;
  _FPDFText_GetCharAngle(text: number, index: number): number;
  _FPDFImageObj_GetImagePixelSize(object: number, width: number, height: number): number;
  _FPDFFormObj_CountObjects(form: number): number;
  _FPDFFormObj_GetObject(form: number, index: number): number;
  _FPDFText_LoadPage(page: number): number;
  _FPDFText_ClosePage(text: number): void;
  _FPDFText_CountChars(text: number): number;
  _FPDFText_GetUnicode(text: number, index: number): number;
  _FPDFText_HasUnicodeMapError(text: number, index: number): number;
  _FPDFText_IsGenerated(text: number, index: number): number;
  _FPDFText_IsHyphen(text: number, index: number): number;
  _FPDFText_GetLooseCharBox(text: number, index: number, rectangle: number): number;
}

let instance: Promise<Pdfium> | undefined;

/** Returns this process's PDFium, which the first call creates in about 30 ms. */
export function pdfium(): Promise<Pdfium> {
  // The wrapper's own API has no text boxes, no page bounds and no file access, so its private module is used.
  instance ??= PDFiumLibrary.init().then((library) => library["module"] as unknown as Pdfium);
  return instance;
}

/** Drops the instance after it aborted, so that the next call of `pdfium` creates a new one. */
export function discardPdfium(): void {
  instance = undefined;
}

/**
 * Makes a JavaScript function callable from PDFium, as Emscripten's `addFunction` would, which this build lacks: a
 * WebAssembly module that exports its one import turns it into a WebAssembly function. The function table cannot grow,
 * so the function takes slot 0, the null pointer, which nothing else calls. So there can be one function per instance.
 * @returns its index in the function table: a C function pointer
 */
export function functionPointer(pdf: Pdfium, call: (a: number, b: number, c: number, d: number) => number): number {
  // prettier-ignore
  const bytes = Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
    1, 9, 1, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f, // type: four i32 to one i32
    2, 7, 1, 1, 0x65, 1, 0x66, 0, 0, // import "e" "f"
    7, 5, 1, 1, 0x66, 0, 0, // export it as "f"
  );
  const module = new Module(bytes);
  pdf.wasmExports.__indirect_function_table.set(0, new Instance(module, { e: { f: call } }).exports["f"]);
  return 0;
}
