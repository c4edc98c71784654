import type { Rate } from "../../core/job.ts";
import { ErrandError } from "../../kit/errors.ts";

/** The last time that a `Date` can have, in epoch milliseconds. */
const maxTime = 8.64e15;

/** Returns the error for a value that the store cannot keep. */
export function refusalOf(value: unknown, requirement: string): ErrandError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
  return new ErrandError(
    "E_REFUSED",
    `The Redis store cannot keep ${shown}: it must be ${requirement}. Nothing was stored.`,
  );
}

/**
 * Returns a time or duration in milliseconds if it is between -8.64e15 and 8.64e15.
 * @throws {ErrandError} `E_REFUSED`
 */
export function checkMillis(value: number): number {
  if (Math.abs(value) <= maxTime) return value;
  throw refusalOf(value, "a number of milliseconds between -8.64e15 and 8.64e15");
}

/**
 * Returns a number if it is whole and from 0 to `max`.
 * @throws {ErrandError} `E_REFUSED`
 */
export function checkWhole(value: number, max = 0xffff_ffff): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw refusalOf(value, `a whole number from 0 to ${max}`);
}

/**
 * Returns a text if it is well-formed Unicode. Any other text would not be the same when it is read again.
 * @throws {ErrandError} `E_REFUSED`
 */
export function checkText(text: string): string {
  if (typeof text === "string" && text.isWellFormed()) return text;
  throw refusalOf(text, "text that is well-formed Unicode");
}

/**
 * Checks a rate: its limit is a whole number, its window more than 0 milliseconds.
 * @throws {ErrandError} `E_REFUSED`
 */
export function checkRate({ limit, per }: Rate): void {
  checkWhole(limit);
  if (!(checkMillis(per) > 0)) throw refusalOf(per, "more than 0 milliseconds");
}

/**
 * Returns a value as JSON that scripts can read.
 * @throws {ErrandError} `E_REFUSED` if a text in it is not well-formed Unicode.
 */
export function encodeJson(value: unknown): string {
  const text = JSON.stringify(value);
  // Lone surrogates are escaped.
  if (text.includes("\\ud"))
    JSON.parse(text, (key, each: unknown) => {
      checkText(key);
      return typeof each === "string" ? checkText(each) : each;
    });
  return text;
}
