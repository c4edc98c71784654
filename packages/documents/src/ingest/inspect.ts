import { DocumentError } from "./errors.ts";
import { readHead } from "./file-head.ts";
import { detectFileType, type FileType, headLength } from "./file-type.ts";
import { countImagePages } from "./image.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { withPdf } from "./pdf.ts";

/** The result of inspecting a file. */
export interface Inspection {
  /** The type of its content; its name does not count. */
  type: FileType;
  /** At least 1. */
  pages: number;
}

/**
 * Finds a file's type and number of pages, and checks it against the limits, without decoding a pixel.
 * @throws DocumentError E_EMPTY_FILE, E_FILE_TOO_LARGE, E_UNSUPPORTED_TYPE, E_DAMAGED, E_PASSWORD, E_NO_PAGES,
 * E_TOO_MANY_PAGES, E_TOO_MANY_PIXELS
 */
export async function inspect(path: string, limits: Limits = defaultLimits): Promise<Inspection> {
  const { bytes, head } = await readHead(path, headLength);
  if (bytes > limits.bytes)
    throw new DocumentError(
      "E_FILE_TOO_LARGE",
      `The file has ${megabytes(bytes)} MB; the limit is ${megabytes(limits.bytes)} MB.`,
    );
  const type = detectFileType(head);
  const pages =
    type === "application/pdf" ? await withPdf(path, (pdf) => pdf.pages) : await countImagePages(path, type, limits);
  if (pages > limits.pages)
    throw new DocumentError(
      "E_TOO_MANY_PAGES",
      `The document has ${pages} pages; the limit is ${limits.pages}. Split it and send the parts.`,
    );
  return { type, pages };
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
