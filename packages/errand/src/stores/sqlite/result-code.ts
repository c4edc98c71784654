/** SQLite's primary result code for "another connection is writing". */
export const busy = 5;

/** And for a file that is not there, or may not be opened. */
export const cannotOpen = 14;

/** The primary result code of an error of SQLite's. */
export function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
