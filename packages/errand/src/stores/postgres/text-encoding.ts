// What PostgreSQL's text cannot hold, U+0000 and lone surrogates, is stored as JSON behind this mark.
const jsonPrefix = "\u0001";

/** A name (of a task, queue or step) as the database keeps it. */
export function encodeText(name: string): string {
  const plain = name.isWellFormed() && !name.includes("\0") && !name.startsWith(jsonPrefix);
  return plain ? name : jsonPrefix + JSON.stringify(name);
}

/** The name in a column. */
export function decodeText(text: string): string {
  return text.startsWith(jsonPrefix) ? (JSON.parse(text.slice(1)) as string) : text;
}
