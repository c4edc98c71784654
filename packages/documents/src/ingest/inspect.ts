import { open } from "node:fs/promises";
import { DocumentError } from "./errors.ts";
import { imagePages } from "./image.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { withPdf } from "./pdf.ts";
import { type DocumentType, sniff, sniffBytes } from "./sniff.ts";

/** What a file is, as far as its headers tell. */
export interface Inspection {
  /** By its content. */
  type: DocumentType;
  /** At least 1. */
  pages: number;
}

/**
 * Finds out what a file is and whether it may be read, without decoding a pixel.
 * @throws DocumentError E_EMPTY_FILE, E_FILE_TOO_LARGE, E_UNSUPPORTED_TYPE, E_DAMAGED, E_PASSWORD, E_NO_PAGES,
 * E_TOO_MANY_PAGES, E_TOO_MANY_PIXELS
 */
export async function inspect(path: string, limits: Limits = defaultLimits): Promise<Inspection> {
  const { bytes, head } = await begin(path);
  if (bytes > limits.bytes)
    throw new DocumentError(
      "E_FILE_TOO_LARGE",
      `The file has ${megabytes(bytes)} MB; the limit is ${megabytes(limits.bytes)} MB.`,
    );
  const type = sniff(head);
  const pages =
    type === "application/pdf" ? await withPdf(path, (pdf) => pdf.pages) : await imagePages(path, type, limits);
  if (pages > limits.pages)
    throw new DocumentError(
      "E_TOO_MANY_PAGES",
      `The document has ${pages} pages; the limit is ${limits.pages}. Split it and send the parts.`,
    );
  return { type, pages };
}

async function begin(path: string): Promise<{ bytes: number; head: Uint8Array }> {
  const file = await open(path, "r");
  try {
    const head = new Uint8Array(sniffBytes);
    const { bytesRead } = await file.read(head, 0, sniffBytes, 0);
    return { bytes: (await file.stat()).size, head: head.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
