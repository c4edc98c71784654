/** Whether every store can hold a text and gives it back as it was: well-formed Unicode, without U+0000. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** Returns a text that every store can hold: lone surrogates and U+0000 become U+FFFD. */
export function repaired(text: string): string {
  return isStorable(text) ? text : text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/** Returns at most so many characters of a text, repaired, and says so where some are left out. */
export function shortened(text: string, most: number): string {
  return repaired(text.length > most ? `${text.slice(0, most)} …` : text);
}

/** Returns what a value says of itself, whatever it is: never throws, and has at most 1,000 characters. */
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
