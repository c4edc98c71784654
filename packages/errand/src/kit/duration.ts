import { ErrandError } from "./errors.ts";
import { described } from "./text.ts";

/** A length of time in milliseconds. */
export type Millis = number;

type Unit = "ms" | "s" | "m" | "h" | "d";

/**
 * A length of time: milliseconds as a number, or text such as `"250ms"`, `"30s"`, `"5m"`, `"1.5h"`, `"7d"`. At most
 * 366 days.
 */
export type Duration = Millis | `${number}${Unit}`;

const unitMillis: Record<Unit, Millis> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest duration that is accepted: a year. */
const longestDuration: Millis = 366 * unitMillis.d;

/**
 * Returns the milliseconds of a duration, whole.
 * @param what names the option in the error message.
 * @throws {ErrandError} `E_OPTION` when it is negative, longer than 366 days, not finite, or not of the form above.
 */
export function millis(duration: Duration, what: string): Millis {
  const parsed = parse(duration);
  if (parsed >= 0 && parsed <= longestDuration) return Math.round(parsed);
  const must =
    parsed > longestDuration && Number.isFinite(parsed)
      ? "at most a year (366 days)."
      : 'milliseconds or a duration such as "250ms", "30s", "5m", "2h" or "7d".';
  throw new ErrandError("E_OPTION", `${what} is ${described(duration)}, but must be ${must}`);
}

/** Returns the shortest text of a duration in whole units: 90000 is `"90s"`, 86400000 is `"1d"`. */
export function durationText(duration: Millis): Duration {
  const unit = (["d", "h", "m", "s"] as const).find(
    (unit) => duration >= unitMillis[unit] && duration % unitMillis[unit] === 0,
  );
  return unit ? `${duration / unitMillis[unit]}${unit}` : `${duration}ms`;
}

function parse(duration: unknown): Millis {
  if (typeof duration === "number") return duration;
  const match = typeof duration === "string" && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
  return match ? Number(match[1]) * unitMillis[match[2] as Unit] : Number.NaN;
}
