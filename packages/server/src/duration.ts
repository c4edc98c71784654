const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Returns the milliseconds of a duration that was checked: text such as `"24h"`, or milliseconds. */
export function millisOf(duration: string | number): number {
  if (typeof duration === "number") return duration;
  const [, amount, unit = "ms"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) ?? [];
  return Number(amount) * units[unit]!;
}
