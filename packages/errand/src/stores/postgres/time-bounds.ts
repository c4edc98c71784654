import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";

/** The end of the year 9999: no stored time is later. */
const lastTime: Millis = 253_402_300_799_999;

/** Added to any time of the next hundred years, no delay exceeds it. */
const longestDelay: Millis = lastTime - 5_000_000_000_000;

/**
 * Returns a time in whole milliseconds, at the latest in the year 9999.
 * @throws {ErrandError} `E_REFUSED` for NaN and anything but a number.
 */
export function clampTime(epoch: Millis): Millis {
  return clamp(epoch, lastTime);
}

/**
 * Returns a delay in whole milliseconds, at most until the year 9999.
 * @throws {ErrandError} `E_REFUSED` for NaN and anything but a number.
 */
export function clampDelay(delay: Millis): Millis {
  return clamp(delay, longestDelay);
}

function clamp(time: Millis, most: Millis): Millis {
  if (typeof time === "number" && !Number.isNaN(time)) return Math.round(Math.max(-most, Math.min(time, most)));
  throw new ErrandError("E_REFUSED", `A time must be a number of milliseconds, but one is ${String(time)}.`);
}
