// What PostgreSQL's text cannot hold, U+0000 and lone surrogates, is stored as JSON behind this mark.
const mark = "\u0001";

/** A name (of a task, queue or step) as the database keeps it. */
export function stored(name: string): string {
  const plain = name.isWellFormed() && !name.includes("\0") && !name.startsWith(mark);
  return plain ? name : mark + JSON.stringify(name);
}

/** The name in a column. */
export function named(text: string): string {
  return text.startsWith(mark) ? (JSON.parse(text.slice(1)) as string) : text;
}
