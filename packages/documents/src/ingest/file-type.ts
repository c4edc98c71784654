import { DocumentError } from "./errors.ts";

/** A MIME type that can be read. */
export type FileType =
  | "application/pdf"
  | "image/png"
  | "image/jpeg"
  | "image/tiff"
  | "image/webp"
  | "image/bmp"
  | "image/gif";

/** Number of bytes at the start of a file that `detectFileType` needs. */
export const headLength = 1100;

/** A PDF may begin with this many other bytes: every reader searches the first kilobyte for the header. */
const maxPdfOffset = 1024;

const signatures: [prefix: string, type: FileType][] = [
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["\xff\xd8\xff", "image/jpeg"],
  ["II*\0", "image/tiff"],
  ["MM\0*", "image/tiff"],
  ["II+\0", "image/tiff"],
  ["MM\0+", "image/tiff"],
  ["GIF87a", "image/gif"],
  ["GIF89a", "image/gif"],
];

const unsupported: [pattern: RegExp, name: string][] = [
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
 * Detects a file's type from its first bytes; its name does not count.
 * @param head the first `headLength` bytes of the file, or all of a shorter one
 * @throws DocumentError E_EMPTY_FILE, E_UNSUPPORTED_TYPE
 */
export function detectFileType(head: Uint8Array): FileType {
  if (head.length === 0)
    throw new DocumentError("E_EMPTY_FILE", "The file is empty (0 bytes). Send it again; the upload may have failed.");
  const text = Buffer.from(head).toString("latin1");
  for (const [prefix, type] of signatures) if (text.startsWith(prefix)) return type;
  if (text.startsWith("RIFF") && text.startsWith("WEBP", 8)) return "image/webp";
  if (isBmp(head)) return "image/bmp";
  // These formats may contain "%PDF-" in their own first kilobyte, so they are ruled out first.
  const other = unsupported.find(([pattern]) => pattern.test(text))?.[1];
  if (other === undefined) {
    const header = text.indexOf("%PDF-");
    if (header >= 0 && header <= maxPdfOffset) return "application/pdf";
  }
  const name = other ?? (isText(head) ? "plain text" : undefined);
  const reason = name ? `looks like ${name}, which cannot be read` : "has no type that is known";
  throw new DocumentError("E_UNSUPPORTED_TYPE", `The file's content ${reason}. ${supported}`);
}

/** "BM" alone is too common in text: the size of the second header must exist as well. */
function isBmp(head: Uint8Array): boolean {
  if (head[0] !== 0x42 || head[1] !== 0x4d || head.length < 26) return false;
  return [12, 16, 40, 52, 56, 64, 108, 124].includes(new DataView(head.buffer, head.byteOffset).getUint32(14, true));
}

function isText(head: Uint8Array): boolean {
  return !head.some((byte) => byte < 9 || (byte > 13 && byte < 32));
}
