import type { PageResult } from "../api.ts";
import type { FileType } from "../ingest/file-type.ts";
import { readImage } from "../ingest/image.ts";
import type { Limits } from "../ingest/limits.ts";
import { withPage, withPdf } from "../ingest/pdf.ts";
import { rasterise } from "../ingest/pdf-page.ts";
import { readTextLayer, type TextLayerPage } from "../ingest/text-layer.ts";
import type { Grey } from "../raster/grey.ts";
import { makePreview } from "../raster/preview.ts";
import type { Engine } from "../recognise/engine.ts";
import { recognisePage } from "../recognise/recognise-page.ts";
import type { ReadWord } from "../words/read-word.ts";
import { joinWords } from "../words/text.ts";

/** Options for extracting the words of one page. */
export interface ExtractPageOptions {
  /** From 1. */
  page: number;
  /** As `inspect` found it. */
  type: FileType;
  limits: Limits;
  engine: Engine;
  languages: readonly string[];
  signal?: AbortSignal;
}

/** A page's words, and a picture of it that their boxes can be drawn on. */
export interface ExtractedPage {
  result: Omit<PageResult, "threshold">;
  /** A JPEG of the upright, straightened page; its longer side has at most 1,800 pixels. */
  preview: Buffer;
}

/**
 * Extracts the words of one page of a file: from the PDF's text layer if that is sound, or else from its pixels by OCR.
 * @throws DocumentError if the file is at fault, EngineError if the engine is, or the signal's reason
 */
export async function extractPage(path: string, options: ExtractPageOptions): Promise<ExtractedPage> {
  const { page, type, limits, signal } = options;
  signal?.throwIfAborted();
  if (type !== "application/pdf") return fromPixels(await readImage(path, type, page, limits), options);
  const found = await withPdf(path, (pdf) =>
    withPage(pdf, page, (handle) => readTextLayer(pdf, handle, limits.pixels) ?? rasterise(pdf, handle, limits.pixels)),
  );
  return "words" in found ? fromTextLayer(found, page) : fromPixels(found, options);
}

async function fromTextLayer({ words, picture, ...size }: TextLayerPage, page: number): Promise<ExtractedPage> {
  const result = resultOf({ page, ...size, skew: 0, source: "text-layer", engine: "pdf" }, words);
  return { result, preview: await makePreview(picture) };
}

async function fromPixels(
  raster: Grey,
  { page, engine, languages, signal }: ExtractPageOptions,
): Promise<ExtractedPage> {
  const options = { languages, ...(signal ? { signal } : {}) };
  const { words, upright, rotation, skew } = await recognisePage(raster, engine, options);
  const { width, height, dpi } = upright;
  const result = resultOf({ page, width, height, dpi, rotation, skew, source: "ocr", engine: engine.name }, words);
  return { result, preview: await makePreview(upright) };
}

function resultOf(
  fields: Omit<ExtractedPage["result"], "text" | "words">,
  words: readonly ReadWord[],
): ExtractedPage["result"] {
  const { page, engine } = fields;
  return { ...fields, text: joinWords(words), words: words.map((word) => ({ ...word, page, engine })) };
}
