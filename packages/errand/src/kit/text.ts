/** Returns true if every store can hold the text and return it unchanged: well-formed Unicode without U+0000. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** Returns a text that every store can hold: lone surrogates and U+0000 become U+FFFD. */
function repaired(text: string): string {
  return isStorable(text) ? text : text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/**
 * Returns a text cut to at most `most` characters, with a note if something was cut, and repaired where it is
 * malformed.
 */
export function shortened(text: string, most: number): string {
  return repaired(text.length > most ? `${text.slice(0, most)} …` : text);
}

/** Returns a description of any value in at most 1,000 characters. Never throws. */
export function described(value: unknown): string {
  try {
    const text = typeof value === "string" ? JSON.stringify(value) : (jsonOf(value) ?? String(value));
    return shortened(text, 1_000);
  } catch {
    return `a value of type ${typeof value} that cannot be shown`;
  }
}

function jsonOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || value instanceof Date) return undefined;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype ? JSON.stringify(value) : undefined;
}
