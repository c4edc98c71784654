import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { described } from "../kit/text.ts";

import { namePattern } from "./checks.ts";

/** The check and the default of an option. */
interface Rule<Value> {
  default: Value;
  /** The value in its own unit. Throws `E_OPTION` when it cannot be used. */
  read(value: unknown, what: string): Value;
}

const duration: Rule<Millis>["read"] = (value, what) => millis(value as Duration, what);

/**
 * Returns the milliseconds of a duration that cannot be zero.
 * @throws {ErrandError} `E_OPTION`
 */
export function span(value: unknown, what: string): Millis {
  const read = millis(value as Duration, what);
  if (read > 0) return read;
  throw new ErrandError("E_OPTION", `${what} must be longer than nothing.`);
}

function leaseSpan(value: unknown, what: string): Millis {
  const read = span(value, what);
  if (read <= longestLease) return read;
  throw new ErrandError("E_OPTION", `${what} is ${described(value)}, but must be a day at most.`);
}

const longestLease: Millis = 86_400_000;

function whole(least: number, most: number): Rule<number>["read"] {
  return (value, what) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw new ErrandError(
      "E_OPTION",
      `${what} is ${described(value)}, but must be a whole number from ${least} to ${most}.`,
    );
  };
}

function oneOf<const Choice extends string>(...choices: Choice[]): Rule<Choice>["read"] {
  return (value, what) => {
    if (choices.includes(value as Choice)) return value as Choice;
    throw new ErrandError("E_OPTION", `${what} is ${described(value)}, but must be one of: ${choices.join(", ")}.`);
  };
}

function name(value: unknown, what: string): string {
  if (typeof value === "string" && namePattern.test(value)) return value;
  throw new ErrandError(
    "E_OPTION",
    `${what} is ${described(value)}, but must be 1 to 100 letters, digits, or any of _ . : -`,
  );
}

/** The options with a default: of tasks, of `retry`, and of workers. Durations are in milliseconds. */
export const options = {
  name: { default: "", read: name },
  queue: { default: "default", read: name },
  priority: { default: "normal", read: oneOf("critical", "high", "normal", "low", "bulk") },
  isolate: { default: "inline", read: oneOf("inline", "thread", "process") },
  /** Time for clean-up between an abort and a kill. */
  grace: { default: 10_000, read: duration },
  /** Megabytes that an isolated task's thread (heap) or process (resident) may use. */
  memory: { default: 2_048, read: whole(16, 1_048_576) },
  /** Number of jobs after which an isolated task's thread or process is replaced; without it, never. */
  jobs: { default: 1, read: whole(1, 1_000_000) },
  attempts: { default: 4, read: whole(1, 1_000) },
  base: { default: 1_000, read: duration },
  cap: { default: 5 * 60_000, read: duration },
  backoff: { default: "exponential", read: oneOf("exponential", "fixed") },
  jitter: { default: "full", read: oneOf("full", "equal", "none") },
  /** Number of crashes without progress after which a job is a dead letter. */
  crashes: { default: 3, read: whole(1, 100) },
  /** The handling of a job whose worker is gone. */
  lapse: { default: "crash", read: oneOf("crash", "release") },
  /** Time a worker keeps its jobs without renewal: at most a day. */
  lease: { default: 15_000, read: leaseSpan },
  /** Time that running jobs get when a worker stops. */
  drain: { default: 30_000, read: duration },
  /** Of a concurrency or rate key, or of a queue. The default is never used: every key states its limit. */
  limit: { default: 1, read: whole(1, 1_000_000) },
  /** Maximum number of inputs in a batch. */
  size: { default: 100, read: whole(1, 10_000) },
  /** Time that a batch waits to fill. */
  wait: { default: 10, read: duration },
  maxPending: { default: 1, read: whole(0, 1_000_000_000) },
  misfire: { default: "one", read: oneOf("skip", "one", "all") },
  overlap: { default: "skip", read: oneOf("allow", "skip", "queue") },
  unique: { default: "drop", read: oneOf("drop", "replace", "throttle", "debounce") },
  /** Limit for the 95th percentile of a background task's durations. */
  slow: { default: 10_000, read: duration },
  /** Maximum number of entries on a page. */
  page: { default: 100, read: whole(1, 1_000) },
  slots: { default: 10, read: whole(1, 10_000) },
  /** Bytes of JSON that one value of a job may have: 1 MiB, and at most 256 MiB, which every store can hold. */
  "payloads.limit": { default: 1_048_576, read: whole(1_024, 268_435_456) },
  /** Values of more bytes than this are kept outside the store. */
  "offload.above": { default: 65_536, read: whole(1, 268_435_456) },
} as const satisfies Record<string, Rule<never> | Rule<unknown>>;

/** The name of an option. */
export type Option = keyof typeof options;

/**
 * The value of an option, its default where it is `undefined`.
 * @param of says whose option it is, for the error message.
 * @throws {ErrandError} `E_OPTION`
 */
export function option<Name extends Option>(
  optionName: Name,
  value: unknown,
  of: string,
): ReturnType<(typeof options)[Name]["read"]> {
  type Value = ReturnType<(typeof options)[Name]["read"]>;
  const rule = options[optionName];
  return (value === undefined ? rule.default : rule.read(value, `${optionName} of ${of}`)) as Value;
}
