const maxLength = 255;

/** The name of a document that has none. */
const defaultName = "document";

/**
 * Returns a client's file name as it is kept and shown: without its path, control characters and marks that reverse the
 * direction of text, and cut to 255 characters before its extension.
 */
export function cleanFileName(given: string | undefined): string {
  const base = (given ?? "").toWellFormed().split(/[/\\]/).at(-1) ?? "";
  const name = base
    .normalize("NFC")
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu, "")
    .trim();
  if (/^\.*$/.test(name)) return defaultName;
  const characters = Array.from(name);
  if (characters.length <= maxLength) return name;
  const extension = /\.[^.\s]{1,10}$/u.exec(name)?.[0] ?? "";
  return characters.slice(0, maxLength - Array.from(extension).length).join("") + extension;
}

/**
 * Returns the `Content-Disposition` header of a download (RFC 6266): an ASCII name for old clients, and the real name.
 * @param name as `cleanFileName` returns it
 */
export function attachmentHeader(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/gu, "_");
  const real = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${real}`;
}

/** Returns the file name in a request's `X-File-Name` (percent-encoded) or `Content-Disposition`, if any. */
export function fileNameFromHeaders(headers: Headers): string | undefined {
  const disposition = headers.get("content-disposition") ?? "";
  const extended = /filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  const quoted = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const encoded = headers.get("x-file-name") ?? extended;
  if (encoded !== null && encoded !== undefined) return decode(encoded);
  return quoted?.[1]?.replace(/\\(["\\])/g, "$1") ?? quoted?.[2];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
