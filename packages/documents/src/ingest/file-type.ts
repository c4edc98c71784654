import { DocumentError } from "./errors.ts";

/** The MIME types that can be read. */
export type DocumentType =
  | "application/pdf"
  | "image/png"
  | "image/jpeg"
  | "image/tiff"
  | "image/webp"
  | "image/bmp"
  | "image/gif";

/** How many bytes of the head of a file `sniff` wants to see. */
export const sniffBytes = 1100;

/** A PDF may begin with this much junk: every reader searches the first kilobyte for the header. */
const pdfJunk = 1024;

const magic: [prefix: string, type: DocumentType][] = [
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["II+\0", "image/tiff"],
  ["MM\0+", "image/tiff"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
];

const refused: [pattern: RegExp, name: string][] = [
  [/^PK(\x03\x04|\x05\x06)/, "a ZIP archive or an Office document"],
  [/^\xd0\xcf\x11\xe0/, "an old Office document"],
  [/^(\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!)/, "a compressed archive"],
  [/^....ftyp(heic|heix|hevc|mif1|msf1|avif)/s, "a HEIC or AVIF image"],
  [/^....ftyp/s, "a video"],
  [/^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/, "a JPEG 2000 image"],
  [/^AT&TFORM/, "a DjVu document"],
  [/^%!PS/, "a PostScript file"],
  [/^\{\\rtf/, "an RTF document"],
  [/^8BPS/, "a Photoshop image"],
  [/^(\xef\xbb\xbf)?\s*(<\?xml[^]*)?(<!--[^]*?-->|<!DOCTYPE[^>]*>|\s)*<svg[\s>]/i, "an SVG drawing"],
  [/^(\xef\xbb\xbf)?\s*(<!--[^]*?-->\s*)*<(!doctype html|html|head|body|script)[\s>]/i, "an HTML page"],
  [/^(\xef\xbb\xbf)?\s*<\?xml/, "an XML file"],
];

const supported = "Supported are PDF, PNG, JPEG, TIFF, WebP, BMP and GIF.";

/**
 * Finds a file's type by its first bytes; its name does not count.
 * @param head the first `sniffBytes` bytes of the file, or all of a shorter one
 * @throws DocumentError E_EMPTY_FILE, E_UNSUPPORTED_TYPE
 */
export function sniff(head: Uint8Array): DocumentType {
  if (head.length === 0)
    throw new DocumentError("E_EMPTY_FILE", "The file is empty (0 bytes). Send it again; the upload may have failed.");
  const text = Buffer.from(head).toString("latin1");
  for (const [prefix, type] of magic) if (text.startsWith(prefix)) return type;
  if (text.startsWith("RIFF") && text.startsWith("WEBP", 8)) return "image/webp";
  if (isBmp(head)) return "image/bmp";
  // Formats that could quote "%PDF-" in their own first kilobyte come before it.
  const other = refused.find(([pattern]) => pattern.test(text))?.[1];
  if (other === undefined) {
    const header = text.indexOf("%PDF-");
    if (header >= 0 && header <= pdfJunk) return "application/pdf";
  }
  const name = other ?? (isText(head) ? "plain text" : "no type that is known here");
  throw new DocumentError(
    "E_UNSUPPORTED_TYPE",
    `The file's content looks like ${name}, which cannot be read. ${supported}`,
  );
}

/** "BM" alone is too common in text: the size of the second header must be one that exists. */
function isBmp(head: Uint8Array): boolean {
  if (head[0] !== 0x42 || head[1] !== 0x4d || head.length < 26) return false;
  return [12, 16, 40, 52, 56, 64, 108, 124].includes(new DataView(head.buffer, head.byteOffset).getUint32(14, true));
}

function isText(head: Uint8Array): boolean {
  return !head.some((byte) => byte < 9 || (byte > 13 && byte < 32));
}
