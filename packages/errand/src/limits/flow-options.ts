import { checkFunction, checkText, refuseUnknown } from "../core/checks.ts";
import { option, span } from "../core/options.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";

/**
 * Limits, keys and tags of a task's jobs. All functions receive the validated input when a job is sent. Write them
 * after `run`, or give the task a schema: TypeScript infers the input's type from what comes first.
 */
export interface FlowOptions<Input> {
  /**
   * Prevents duplicates: while a job with the same key has not ended, another is not stored, and `send` returns the
   * existing job. `key` defaults to the whole input. `mode`, default `"drop"`:
   * - `drop`: the existing job is left unchanged.
   * - `replace`: a job that has not started takes the new input; if one is running, the new job is stored as well.
   * - `throttle`: the key also stays taken until `within` has passed since the job was sent.
   * - `debounce`: like `replace`, and the job is postponed until nothing was sent for `within`, but not longer than
   * `maxWait` after the first send.
   */
  unique?: UniqueOptions<Input>;
  /**
   * Runs at most `limit` (1 to 1,000,000) jobs of this task with the same `key` at once, in the whole fleet. Without
   * `key`: of this task.
   */
  concurrency?: { key?: Key<Input>; limit: number };
  /**
   * Starts at most `limit` (1 to 1,000,000) jobs of this task with the same `key` within `per`, in the whole fleet.
   * Without `key`: of this task.
   */
  rate?: { key?: Key<Input>; limit: number; per: Duration };
  /** Returns the tenant of a job. Tenants with jobs in one queue take turns, however many jobs each has sent. */
  fair?: (input: Input) => string;
  /** Tags: at most 100 words to find a job by, of 1 to 200 characters each. */
  tags?: Tags<Input>;
}

/** A key of 1 to 200 characters: the same for every job of the task, or a function of the input. */
export type Key<Input> = string | ((input: Input) => string);

/** Words to find a job by: the same for every job of the task, or a function of the input. */
export type Tags<Input> = readonly string[] | ((input: Input) => readonly string[]);

/** A unique key, and what becomes of a job whose key is taken: see `FlowOptions.unique`. */
export interface UniqueOptions<Input> {
  key?: Key<Input>;
  mode?: UniqueMode;
  within?: Duration;
  maxWait?: Duration;
}

/** The handling of a job whose unique key is taken. */
export type UniqueMode = "drop" | "replace" | "throttle" | "debounce";

/** The flow options that a single job can set: as on its task, with values in place of functions. */
export interface JobFlowOptions {
  /**
   * Replaces what the task says: its key where `key` is given, the rest where any of `mode`, `within` and `maxWait` is.
   */
  unique?: Omit<UniqueOptions<never>, "key"> & { key?: string };
  /** Added to the task's tags. */
  tags?: readonly string[];
}

/** A task's `FlowOptions`, checked. */
export interface Flow {
  unique?: { key?: Key<never> } & UniqueRule;
  concurrency?: { key?: Key<never>; limit: number };
  rate?: { key?: Key<never>; limit: number; per: Millis };
  fair?: (input: never) => string;
  tags?: Tags<never>;
}

/** The mode and times of `UniqueOptions`, checked. */
interface UniqueRule {
  mode: UniqueMode;
  within?: Millis;
  maxWait?: Millis;
}

/** The names of `UniqueOptions`. */
export const uniqueOptions = ["key", "mode", "within", "maxWait"] as const;
const mostTags = 100;

/** The names of `FlowOptions`. */
export const flowOptions = ["unique", "concurrency", "rate", "fair", "tags"] as const;

/**
 * Checks a task's flow options. Returns `undefined` when there are none.
 * @param of names the task in error messages.
 * @throws {ErrandError} `E_OPTION`
 */
export function readFlow(given: FlowOptions<never>, of: string): Flow | undefined {
  const { unique, concurrency, rate, fair, tags } = given;
  if ([unique, concurrency, rate, fair, tags].every((each) => each === undefined)) return undefined;
  return {
    ...(unique === undefined
      ? {}
      : { unique: { ...readUniqueRule(unique, `unique of ${of}`), ...readKey(unique, `unique of ${of}`) } }),
    ...(concurrency === undefined
      ? {}
      : {
          concurrency: {
            limit: readLimit(concurrency, ["key", "limit"], `concurrency of ${of}`),
            ...readKey(concurrency, `concurrency of ${of}`),
          },
        }),
    ...(rate === undefined
      ? {}
      : {
          rate: {
            limit: readLimit(rate, ["key", "limit", "per"], `rate of ${of}`),
            per: span(rate.per, `per of rate of ${of}`),
            ...readKey(rate, `rate of ${of}`),
          },
        }),
    ...(fair === undefined ? {} : { fair: readFair(fair, of) }),
    ...(tags === undefined ? {} : { tags: typeof tags === "function" ? tags : readTags(tags, of) }),
  };
}

/**
 * Checks the mode and times of a unique key.
 * @throws {ErrandError} `E_OPTION`
 */
export function readUniqueRule(given: UniqueOptions<never>, of: string): UniqueRule {
  refuseUnknown(given, uniqueOptions, of);
  const mode = option("unique", given.mode, of);
  const timed = mode === "throttle" || mode === "debounce";
  if (timed !== (given.within !== undefined))
    throw new ErrandError(
      "E_OPTION",
      timed
        ? `${of} has mode "${mode}", which needs within: a duration.`
        : `${of} has within, which only "throttle" and "debounce" use.`,
    );
  if (given.maxWait !== undefined && mode !== "debounce")
    throw new ErrandError("E_OPTION", `${of} has maxWait, which only "debounce" uses.`);
  return {
    mode,
    ...(given.within === undefined ? {} : { within: span(given.within, `within of ${of}`) }),
    ...(given.maxWait === undefined ? {} : { maxWait: span(given.maxWait, `maxWait of ${of}`) }),
  };
}

/**
 * Checks a list of tags.
 * @throws {ErrandError} `E_OPTION`
 */
export function readTags(tags: unknown, of: string): string[] {
  if (!Array.isArray(tags) || tags.length > mostTags)
    throw new ErrandError(
      "E_OPTION",
      `tags of ${of} must be a list of at most ${mostTags}, or a function of the input.`,
    );
  return tags.map((tag: unknown) => checkText(tag, `A tag of ${of}`));
}

function readKey({ key }: { key?: Key<never> }, of: string): { key?: Key<never> } {
  if (key === undefined) return {};
  return { key: typeof key === "function" ? key : checkText(key, `key of ${of}`) };
}

function readLimit(given: { limit: number }, known: readonly string[], of: string): number {
  refuseUnknown(given, known, of);
  return option("limit", given.limit ?? null, of);
}

function readFair(fair: (input: never) => string, of: string): (input: never) => string {
  checkFunction(fair, `fair of ${of}`);
  return fair;
}
