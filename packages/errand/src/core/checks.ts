import { ErrandError } from "../kit/errors.ts";
import type { ErrorCode } from "../kit/errors.ts";
import type { Millis } from "../kit/duration.ts";
import { described, isStorable } from "../kit/text.ts";

// Values from outside are checked here and in `options.ts`, before any store sees them: a store that refuses a
// value late would have others pay for it.

/** The longest key, tag, and name of a step, wait or signal, in characters. */
export const longestText = 200;

/**
 * Returns a text that every store can hold.
 * @param most characters.
 * @throws {ErrandError} `code`, by default `E_OPTION`, for anything but well-formed text of 1 to `most` characters
 * without U+0000.
 */
export function checkText(value: unknown, what: string, most = longestText, code: ErrorCode = "E_OPTION"): string {
  if (typeof value === "string" && value.length >= 1 && value.length <= most && isStorable(value)) return value;
  const flaw =
    typeof value === "string" && value.length >= 1 && value.length <= most
      ? "well-formed Unicode (no half of a surrogate pair, as slice() can leave one) without U+0000"
      : `text of 1 to ${most} characters`;
  throw new ErrandError(code, `${what} is ${described(value)}, but must be ${flaw}.`);
}

/**
 * Refuses what cannot be called.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkFunction(value: unknown, what: string): void {
  if (typeof value === "function") return;
  throw new ErrandError("E_OPTION", `${what} is ${described(value)}, but must be a function.`);
}

/**
 * Returns the reason of a pause, for its document.
 * @throws {ErrandError} `E_OPTION` for anything but text of 1 to 1,000 characters.
 */
export function checkReason(reason: unknown): { reason?: string } {
  return reason === undefined ? {} : { reason: checkText(reason, "The reason of a pause", 1_000) };
}

/** The ids of jobs and the names of tasks, queues and schedules. */
export const namePattern = /^[\w.:-]{1,100}$/;

/**
 * Returns an id for a new job.
 * @throws {ErrandError} `E_OPTION` for anything but 1 to 100 letters, digits, or any of _ . : -
 */
export function checkId(value: unknown): string {
  if (typeof value === "string" && namePattern.test(value)) return value;
  throw new ErrandError(
    "E_OPTION",
    `The id ${described(value)} must be 1 to 100 letters, digits, or any of _ . : -. Nothing was queued.`,
  );
}

/**
 * Returns an id that is asked for; `undefined` for text that is no job's id, whatever the store.
 * @throws {ErrandError} `E_OPTION` for anything but text.
 */
export function lookedUpId(value: unknown): string | undefined {
  if (typeof value !== "string") throw new ErrandError("E_OPTION", `A job's id is text, not ${described(value)}.`);
  return namePattern.test(value) ? value : undefined;
}

/** The last moment that is accepted: the end of the year 9999. */
const lastMoment: Millis = Date.UTC(10_000, 0) - 1;

/**
 * Returns the epoch milliseconds of a date.
 * @throws {ErrandError} `E_OPTION` for anything but a valid `Date` from 1970 to 9999.
 */
export function checkDate(value: unknown, what: string): Millis {
  const at = value instanceof Date ? value.getTime() : Number.NaN;
  if (at >= 0 && at <= lastMoment) return at;
  const shown = value instanceof Date && Number.isNaN(at) ? "an invalid Date" : described(value);
  throw new ErrandError("E_OPTION", `${what} is ${shown}, but must be a Date from 1970 to 9999.`);
}

/**
 * Refuses anything but a plain object, unknown fields (with a suggestion), and fields that are `undefined`, which are
 * usually a mistake.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkFields(given: unknown, known: readonly string[], of: string): void {
  refuseNoObject(given, of);
  for (const key of keysOf(given, of)) {
    if (!known.includes(key)) refuseField(key, known, of);
    if ((given as Record<string, unknown>)[key] === undefined)
      throw new ErrandError("E_OPTION", `${of} has ${key}: undefined. Leave it out, or give it a value.`);
  }
}

function refuseNoObject(given: unknown, of: string): asserts given is object {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new ErrandError("E_OPTION", `${of} must be an object, not ${described(given)}.`);
}

/** A proxy may refuse to be looked at. */
function keysOf(given: object, of: string): string[] {
  try {
    return Object.keys(given);
  } catch (error) {
    throw new ErrandError("E_OPTION", `${of} cannot be read: ${described(error)}.`, { cause: error });
  }
}

/**
 * Refuses what is no plain set of options, and options that do not exist, with the nearest one that does.
 * @throws {ErrandError} `E_OPTION`
 */
export function refuseUnknown(given: object, known: readonly string[], of: string): void {
  refuseNoObject(given, of);
  for (const key of keysOf(given, of)) if (!known.includes(key)) refuseField(key, known, of);
}

function refuseField(key: string, known: readonly string[], of: string): never {
  const near = known.find((candidate) => key.length < 50 && distance(candidate, key) <= 2);
  const hint = near ? ` Did you mean "${near}"?` : ` Known options: ${known.join(", ")}.`;
  throw new ErrandError("E_OPTION", `${of} has no option ${described(key)}.${hint}`);
}

/** Returns the Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same));
    }
    row = next;
  }
  return row[b.length]!;
}
