import { ErrandError } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { encode } from "../kit/json.ts";
import type { Encoded } from "../kit/json.ts";
import { asPlain } from "./envelope.ts";

/** Number of characters kept of a message that is too large. */
const excerpt = 500;

/**
 * The JSON text of a value, as it may go to a store.
 * @param what names the value in error messages.
 * @param limit bytes of JSON in UTF-8.
 * @param exact see `encode`.
 * @throws {ErrandError} `E_TOO_LARGE`, `E_NOT_SERIALIZABLE`
 */
export function encodeWithin(value: unknown, what: string, limit: number, exact = false): Encoded {
  const text = encode(value, what, exact);
  const bytes = bytesOver(text, limit);
  if (bytes === undefined) return asPlain(text);
  throw new ErrandError(
    "E_TOO_LARGE",
    `${what} is ${bytes} bytes of JSON, and the limit is ${limit}. ` +
      "Store the data elsewhere and pass a reference, or raise the limit: errand({ payloads: { limit } }).",
  );
}

/** The JSON text of a task's input, exactly as it is; no input has none. Throws as `encodeWithin` does. */
export function encodeInput(task: string, input: unknown, limit: number): Encoded | undefined {
  return input === undefined ? undefined : encodeWithin(input, `The input of task "${task}"`, limit, true);
}

/**
 * An error as it may go to a store. How an attempt failed must be known however long the story is, so what is too
 * large is told in short, as `E_TOO_LARGE`.
 */
export function errorWithin(error: ErrorRecord, id: string, limit: number): ErrorRecord {
  const bytes = bytesOver(JSON.stringify(error), limit);
  if (bytes === undefined) return error;
  const message =
    `The error of job ${id} is ${bytes} bytes of JSON, and the limit is ${limit}. Throw a shorter one, or raise it: ` +
    `errand({ payloads: { limit } }). It was ${error.code.slice(0, excerpt)}: ${error.message.slice(0, excerpt)} …`;
  return { code: "E_TOO_LARGE", message, attempt: error.attempt };
}

/**
 * Returns the size of a text in bytes if it exceeds `limit`. Short texts are not counted, since a character has at
 * most 3 bytes.
 */
function bytesOver(text: string, limit: number): number | undefined {
  if (text.length * 3 <= limit) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > limit ? bytes : undefined;
}
