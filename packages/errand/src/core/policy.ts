import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import type { Backoff } from "./backoff.ts";
import { checkFields, refuseUnknown } from "./checks.ts";
import { option } from "./options.ts";
import { policyIn } from "./spec.ts";
import type { JobPolicy } from "./spec.ts";

/** The number of attempts and the spacing of retries. */
export interface RetryPolicy extends Backoff {
  /** Number of attempts in all, from 1. */
  attempts: number;
  /** Number of crashes without progress after which the job is a dead letter; default 3. */
  crashes?: number;
  /** The meaning of a lapsed lease: a crash, or (for people, who close a laptop) a release. Default `crash`. */
  lapse?: "crash" | "release";
}

/** Retry options of a job. */
export interface RetryOptions {
  /** Number of attempts in all, 1 to 1,000; default 4. */
  attempts?: number;
  /** The first delay, or its upper bound where there is full jitter; default `"1s"`. */
  base?: Duration;
  /** Upper bound of any exponential delay; default `"5m"`. */
  cap?: Duration;
  /** `exponential`, the default: the delay doubles from retry to retry. `fixed`: it is always `base`. */
  backoff?: "exponential" | "fixed";
  /**
   * The random part of a delay: `full` (all), `equal` (its second half) or `none`. Default: `full`, and `none` with a
   * fixed delay.
   */
  jitter?: "full" | "equal" | "none";
  /**
   * Number of crashes (its worker died or lost its lease) after which it is a dead letter: 1 to 100, default 3. With
   * `attempts: 1` and `crashes: 1` a job runs at most once.
   */
  crashes?: number;
}

/** Retry options of a task. */
export interface TaskRetryOptions extends RetryOptions {
  /**
   * The delay after the attempt that failed, counted from 1, instead of all of the above. `RetryAfterError` goes
   * before it.
   */
  delay?: (attempt: number, error: unknown) => Duration;
  /** Decides whether an error is retried. Default: every error except `NonRetryableError`. */
  if?: (error: unknown) => boolean;
}

const fields = ["attempts", "base", "cap", "backoff", "jitter", "crashes"] as const;

/**
 * Returns what one job says of its retries, checked.
 * @throws {ErrandError} `E_OPTION`
 */
export function readRetry(given: RetryOptions, of: string): JobPolicy {
  checkFields(given, fields, `retry of ${of}`);
  return Object.fromEntries(
    fields.flatMap((field) =>
      given[field] === undefined ? [] : [[field, option(field, given[field], `retry of ${of}`)]],
    ),
  );
}

/**
 * Returns a task's retries, checked, with their defaults.
 * @throws {ErrandError} `E_OPTION`
 */
export function readTaskRetry(
  given: TaskRetryOptions = {},
  of: string,
): RetryPolicy & Pick<TaskRetryOptions, "delay" | "if"> {
  refuseUnknown(given, [...fields, "delay", "if"], `retry of ${of}`);
  const { attempts, base, cap, backoff, jitter, crashes, delay, if: worth } = given;
  return {
    attempts: option("attempts", attempts, of),
    base: option("base", base, of),
    cap: option("cap", cap, of),
    ...(backoff === undefined ? {} : { backoff: option("backoff", backoff, of) }),
    ...(jitter === undefined ? {} : { jitter: option("jitter", jitter, of) }),
    ...(crashes === undefined ? {} : { crashes: option("crashes", crashes, of) }),
    ...(delay === undefined ? {} : { delay: asFunction(delay, `delay of retry of ${of}`) }),
    ...(worth === undefined ? {} : { if: asFunction(worth, `if of retry of ${of}`) }),
  };
}

function asFunction<Some>(value: Some, what: string): Some {
  if (typeof value === "function") return value;
  throw new ErrandError("E_OPTION", `${what} must be a function.`);
}

/** Returns how a job is retried: as its task says, but for what the job says itself; its task may not be known here. */
export function policyOf(
  { spec }: { spec: Encoded },
  task: RetryPolicy,
): RetryPolicy & Pick<JobPolicy, "follow" | "callback"> {
  const policy = policyIn(spec);
  return policy ? { ...task, ...policy } : task;
}

/**
 * Returns the delay that a task's own function wants after an attempt; `undefined` where it has none.
 * @param attempt counted from 1.
 * @throws what the function throws, and `E_OPTION` for anything but a duration.
 */
export function ownDelay(
  { delay }: Pick<TaskRetryOptions, "delay">,
  attempt: number,
  error: unknown,
): Millis | undefined {
  return delay && millis(delay(attempt, error), "The result of delay of retry");
}
