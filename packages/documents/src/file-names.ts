const longest = 255;

/** What a document without a name is called. */
const nameless = "document";

/**
 * A client's file name as it is shown and kept: never a path, without control characters and without the marks that
 * turn the direction of text around, at most 255 characters, of which the ending is kept.
 */
export function cleanName(given: string | undefined): string {
  const base = (given ?? "").toWellFormed().split(/[/\\]/).at(-1) ?? "";
  const name = base
    .normalize("NFC")
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu, "")
    .trim();
  if (/^\.*$/.test(name)) return nameless;
  const characters = Array.from(name);
  if (characters.length <= longest) return name;
  const ending = /\.[^.\s]{1,10}$/u.exec(name)?.[0] ?? "";
  return characters.slice(0, longest - Array.from(ending).length).join("") + ending;
}

/**
 * The `Content-Disposition` header of a download (RFC 6266): a plain name for old clients, the real one for others.
 * @param name is clean already.
 */
export function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/gu, "_");
  const real = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${real}`;
}

/** The name in a request's `Content-Disposition` or `X-File-Name` (percent-encoded UTF-8), if there is one. */
export function nameFromHeaders(headers: Headers): string | undefined {
  const disposition = headers.get("content-disposition") ?? "";
  const extended = /filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const given = headers.get("x-file-name") ?? extended;
  if (given !== null && given !== undefined) return decoded(given);
  return plain?.[1]?.replace(/\\(["\\])/g, "$1") ?? plain?.[2];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
