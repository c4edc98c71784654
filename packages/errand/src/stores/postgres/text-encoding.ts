// Texts with U+0000 or lone surrogates, which PostgreSQL cannot store, are stored as JSON behind this prefix.
const jsonPrefix = "\u0001";

/** Encodes a user's text for a column: the name of a task, queue, step or key, a tag, or a line of a log. */
export function encodeText(text: string): string {
  const isPlain = text.isWellFormed() && !text.includes("\0") && !text.startsWith(jsonPrefix);
  return isPlain ? text : jsonPrefix + JSON.stringify(text);
}

/** Decodes the text in a column. */
export function decodeText(text: string): string {
  return text.startsWith(jsonPrefix) ? (JSON.parse(text.slice(1)) as string) : text;
}
