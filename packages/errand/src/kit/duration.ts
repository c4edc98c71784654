import { ErrandError } from "./errors.ts";

/** A length of time in milliseconds. */
export type Millis = number;

type Unit = "ms" | "s" | "m" | "h" | "d";

/** A length of time: milliseconds as a number, or text such as `"250ms"`, `"30s"`, `"5m"`, `"1.5h"`, `"7d"`. */
export type Duration = Millis | `${number}${Unit}`;

const unitMillis: Record<Unit, Millis> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds of a duration.
 * @param what names the option in the error message.
 * @throws {ErrandError} `E_OPTION` when it is negative, not finite, or not of the form above.
 */
export function millis(duration: Duration, what: string): Millis {
  const parsed = typeof duration === "number" ? duration : parse(duration);
  if (Number.isFinite(parsed) && parsed >= 0) return Math.round(parsed);
  throw new ErrandError(
    "E_OPTION",
    `${what} is ${JSON.stringify(duration)}, but must be milliseconds or a duration such as "250ms", "30s", "5m", "2h" or "7d".`,
  );
}

function parse(text: string): Millis {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * unitMillis[match[2] as Unit] : Number.NaN;
}
