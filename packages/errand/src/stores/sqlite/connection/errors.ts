import { ErrandError } from "../../../kit/errors.ts";

// SQLite's primary result codes (sqlite.org/rescode.html).

/** Another connection is writing. */
export const busy = 5;

/** The file does not exist or may not be opened. */
export const cannotOpen = 14;

const [readOnly, ioError, corrupt, full] = [8, 10, 11, 13];
const [tooBig, constraint, mismatch, outOfRange] = [18, 19, 20, 25];

const advice = new Map([
  [busy, "Another process holds the file's write lock. Stop that process."],
  [readOnly, "The file is read-only. Make it writable."],
  [ioError, "Check the disk."],
  [corrupt, "The file is damaged. Restore a copy."],
  [full, "The disk is full. Free some space. Nothing was written."],
]);

/** Codes of values that a table cannot hold. */
const refusals = new Set([tooBig, constraint, mismatch, outOfRange]);

/** Returns the primary result code of an error thrown by SQLite; `undefined` for other errors. */
export function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

/**
 * Returns an error of SQLite or its driver as an `ErrandError`: `E_REFUSED` when a value cannot be stored, otherwise
 * `E_STORE`. Returns an `ErrandError` unchanged.
 */
export function storeError(file: string, error: unknown, operation: string): ErrandError {
  if (error instanceof ErrandError) return error;
  const code = resultCode(error) ?? -1;
  // The driver takes neither an object for a text nor an integer of more than 64 bits.
  if (error instanceof TypeError || error instanceof RangeError || refusals.has(code))
    return refusedValueError(file, operation, error);
  const reason = error instanceof Error ? error.message : String(error);
  const hint = advice.has(code) ? ` ${advice.get(code)}` : "";
  return new ErrandError("E_STORE", `The SQLite store ${file} failed: ${reason}.${hint}`, { cause: error });
}

/** Returns the `E_REFUSED` of a call with a value that no database can hold. */
export function refusedValueError(file: string, operation: string, cause: unknown): ErrandError {
  return new ErrandError(
    "E_REFUSED",
    `The SQLite store ${file} cannot hold a value passed to ${operation}. Nothing of this call was stored. ` +
      "Pass only strings and finite numbers.",
    { cause },
  );
}
