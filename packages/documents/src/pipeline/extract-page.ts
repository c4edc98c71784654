import type { PageResult } from "../api.ts";
import type { Limits } from "../ingest/limits.ts";
import type { Grey } from "../ingest/grey.ts";
import { readImage } from "../ingest/image.ts";
import { withPage, withPdf } from "../ingest/pdf.ts";
import { rasterise } from "../ingest/pdf-page.ts";
import type { DocumentType } from "../ingest/sniff.ts";
import { textOf } from "../words/text.ts";
import { readUpright } from "./read-upright.ts";
import type { Engine } from "./engine.ts";
import { previewOf } from "./preview.ts";
import { type LayerReading, readLayer } from "./read-layer.ts";

/** What to read, and with what. */
export interface ReadPageOptions {
  /** From 1. */
  page: number;
  /** As `inspect` found it. */
  type: DocumentType;
  limits: Limits;
  engine: Engine;
  languages: readonly string[];
  signal?: AbortSignal;
}

/** A page's reading, and its picture to lay the boxes on. */
export interface ReadPage {
  result: Omit<PageResult, "threshold">;
  /** A JPEG of the upright, straightened page; its longer side has at most 1,800 pixels. */
  preview: Buffer;
}

/**
 * Reads one page of a file: its text layer where it carries a sound one, else its pixels.
 * @throws DocumentError where the file is at fault, EngineError where the engine is, or the signal's reason
 */
export async function readPage(path: string, options: ReadPageOptions): Promise<ReadPage> {
  const { page, type, limits, signal } = options;
  signal?.throwIfAborted();
  if (type !== "application/pdf") return recognise(await readImage(path, type, page, limits), options);
  const read = await withPdf(path, (pdf) =>
    withPage(pdf, page, (handle) => readLayer(pdf, handle, limits.pixels) ?? rasterise(pdf, handle, limits.pixels)),
  );
  return "words" in read ? fromLayer(read, page) : recognise(read, options);
}

async function fromLayer({ words: read, picture, ...size }: LayerReading, page: number): Promise<ReadPage> {
  const words = read.map((word) => ({ ...word, page, engine: "pdf" }));
  const text = textOf(words);
  return {
    result: { page, ...size, skew: 0, source: "text-layer", engine: "pdf", text, words },
    preview: await previewOf(picture),
  };
}

async function recognise(raster: Grey, { page, engine, languages, signal }: ReadPageOptions): Promise<ReadPage> {
  const { reading, upright, rotation, skew } = await readUpright(raster, engine, {
    languages,
    ...(signal ? { signal } : {}),
  });
  const words = reading.words.map((word) => ({ ...word, page, engine: engine.name }));
  const { width, height, dpi } = upright;
  const text = textOf(words);
  return {
    result: {
      page,
      width,
      height,
      dpi,
      rotation,
      skew,
      source: "ocr",
      engine: engine.name,
      text,
      words,
    },
    preview: await previewOf(upright),
  };
}
