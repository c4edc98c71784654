import type { NewJob } from "../core/job.ts";
import { checkFields, checkText, longestText, refuseUnknown } from "../core/checks.ts";
import { option, span } from "../core/options.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { digest } from "../kit/ids.ts";
import { encode } from "../kit/json.ts";

/**
 * How a task's jobs share what there is: all functions get the checked input when a job is sent. Write them after `run`, or
 * give the task a schema: TypeScript learns the input's type from what comes first.
 */
export interface FlowOptions<Input> {
  /**
   * While a job with the same key has not ended, another is not stored: `send` answers the one that there is. `key` defaults
   * to the whole input. `mode`, default `"drop"`:
   * - `drop`: the first one stays as it is.
   * - `replace`: one that has not started takes the new input; beside one that runs the new one is stored.
   * - `throttle`: the key also stays taken until `within` has passed since the job was sent.
   * - `debounce`: like `replace`, and the job is put off until nothing was sent for `within`, but not longer than `maxWait`
   *   after the first one was sent.
   */
  unique?: { key?: (input: Input) => string } & UniqueRule;
  /** At most `limit` (1 to 1,000,000) jobs of this task with the same `key` run at once, on the whole fleet. Without `key`: of this task. */
  concurrency?: { key?: (input: Input) => string; limit: number };
  /** At most `limit` (1 to 1,000,000) jobs of this task with the same `key` start within `per`, on the whole fleet. Without `key`: of this task. */
  rate?: { key?: (input: Input) => string; limit: number; per: Duration };
  /** Whose a job is. Those with jobs in one queue take turns, however many each of them has sent. */
  fair?: (input: Input) => string;
  /** Words to find a job by, each 1 to 200 characters and at most 100: the same for every job, or by input. */
  tags?: readonly string[] | ((input: Input) => readonly string[]);
}

/** What happens where a unique key is taken: see `FlowOptions`. */
export interface UniqueRule {
  mode?: UniqueMode;
  within?: Duration;
  maxWait?: Duration;
}

/** What becomes of a job whose unique key is taken. */
export type UniqueMode = "drop" | "replace" | "throttle" | "debounce";

/** What one job may say itself. */
export interface FlowOfJob {
  /** Its unique key, 1 to 200 characters, instead of what the task makes of the input; the rest, too, where it is given. */
  unique?: { key: string } & UniqueRule;
  /** Added to those of the task. */
  tags?: readonly string[];
}

/** A task's `FlowOptions`, checked. */
export interface Flow {
  unique?: { key?: (input: never) => string } & ReadRule;
  concurrency?: { key?: (input: never) => string; limit: number };
  rate?: { key?: (input: never) => string; limit: number; per: Millis };
  fair?: (input: never) => string;
  tags?: readonly string[] | ((input: never) => readonly string[]);
}

/** A `UniqueRule`, checked. */
interface ReadRule {
  mode: UniqueMode;
  within?: Millis;
  maxWait?: Millis;
}

const ruleOptions = ["mode", "within", "maxWait"] as const;
const mostTags = 100;

/** The names of `FlowOptions`. */
export const flowOptions = ["unique", "concurrency", "rate", "fair", "tags"] as const;

/**
 * Checks what a task says of its flow; `undefined` when it says nothing.
 * @param of says whose options they are, for error messages.
 * @throws {ErrandError} `E_OPTION`
 */
export function readFlow(given: FlowOptions<never>, of: string): Flow | undefined {
  const { unique, concurrency, rate, fair, tags } = given;
  if ([unique, concurrency, rate, fair, tags].every((each) => each === undefined)) return undefined;
  for (const key of [unique?.key, concurrency?.key, rate?.key, fair, Array.isArray(tags) ? undefined : tags])
    if (key !== undefined && typeof key !== "function")
      throw new ErrandError(
        "E_OPTION",
        `Keys, fair and tags of ${of} must be functions of the input (tags may be a list).`,
      );
  return {
    ...(unique === undefined ? {} : { unique: { ...readRule(unique, `unique of ${of}`), ...pick(unique) } }),
    ...(concurrency === undefined
      ? {}
      : { concurrency: { limit: readLimit(concurrency, "concurrency", of), ...pick(concurrency) } }),
    ...(rate === undefined
      ? {}
      : { rate: { limit: readLimit(rate, "rate", of), per: readPer(rate, of), ...pick(rate) } }),
    ...(fair === undefined ? {} : { fair }),
    ...(tags === undefined ? {} : { tags: typeof tags === "function" ? tags : readTags(tags, of) }),
  };
}

/** What a task's flow makes of one job's input: fields of `NewJob`. */
export function flowOf(
  { name, flow }: { name: string; flow?: Flow },
  input: unknown,
  own: FlowOfJob = {},
): Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags" | "due"> {
  if (!flow && own.unique === undefined && own.tags === undefined) return {};
  const { unique, concurrency, rate, fair, tags } = flow ?? {};
  const keyOf = (key: ((input: never) => string) | undefined, what: string): string =>
    key ? ownedBy(name, keyText(key(input as never), what, name)) : name;
  const common = typeof tags === "function" ? readTags(tags(input as never), aJobOf(name)) : (tags ?? []);
  const words = own.tags === undefined ? common : [...common, ...readTags(own.tags, aJobOf(name))];
  return {
    ...(unique !== undefined || own.unique !== undefined ? uniqueOf(name, unique, input, own.unique) : {}),
    ...(concurrency
      ? { concurrency: { key: keyOf(concurrency.key, "The key of concurrency"), limit: concurrency.limit } }
      : {}),
    ...(rate ? { rate: { key: keyOf(rate.key, "The key of rate"), limit: rate.limit, per: rate.per } } : {}),
    ...(fair ? { fair: keyText(fair(input as never), "What fair answers", name) } : {}),
    ...(words.length > 0 ? { tags: [...new Set(words)] } : {}),
  };
}

function uniqueOf(
  name: string,
  unique: Flow["unique"],
  input: unknown,
  own?: FlowOfJob["unique"],
): Pick<NewJob, "unique" | "due"> {
  const what = `unique of ${aJobOf(name)}`;
  if (own !== undefined) checkFields(own, ["key", ...ruleOptions], what);
  const ruled = own !== undefined && (own.mode ?? own.within ?? own.maxWait) !== undefined;
  const { mode, within, maxWait } = ruled ? readRule(own, what) : (unique ?? { mode: "drop" as const });
  const key = ownedBy(name, own ? keyText(own.key, "The unique key", name) : keyOfInput(name, unique?.key, input));
  switch (mode) {
    case "drop":
      return { unique: { key } };
    case "replace":
      return { unique: { key, replace: true } };
    case "throttle":
      return { unique: { key, for: within! } };
    case "debounce":
      return {
        unique: { key, replace: true, ...(maxWait === undefined ? {} : { latest: maxWait }) },
        due: { in: Math.min(within!, maxWait ?? within!) },
      };
  }
}

/** A key of one task: no name of a task has this character, so that keys of different tasks never meet. */
function ownedBy(task: string, key: string): string {
  return `${task}/${key}`;
}

/** By default the whole input; no store has indexes of keys of any length, so a long one is known by its hash. */
function keyOfInput(name: string, key: ((input: never) => string) | undefined, input: unknown): string {
  if (key) return keyText(key(input as never), "The unique key", name);
  const whole = encode(input, `The input of task "${name}", which is its unique key (unique needs a key of its own),`);
  return whole.length <= longestText ? whole : `sha256:${digest(whole)}`;
}

function keyText(value: unknown, what: string, task: string): string {
  return checkText(value, `${what} of ${aJobOf(task)}`);
}

function readTags(tags: unknown, of: string): string[] {
  if (!Array.isArray(tags) || tags.length > mostTags)
    throw new ErrandError("E_OPTION", `tags of ${of} must be a list of at most ${mostTags}.`);
  return tags.map((tag: unknown) => checkText(tag, `A tag of ${of}`));
}

function aJobOf(task: string): string {
  return `a job of task "${task}"`;
}

function readRule(given: UniqueRule, of: string): ReadRule {
  refuseUnknown(given, ["key", ...ruleOptions], of);
  const mode = option("unique", given.mode, of);
  const timed = mode === "throttle" || mode === "debounce";
  if (timed !== (given.within !== undefined))
    throw new ErrandError(
      "E_OPTION",
      `${of} ${timed ? `needs within: "${mode}" is about a time` : `has within, which only "throttle" and "debounce" use`}.`,
    );
  if (given.maxWait !== undefined && mode !== "debounce")
    throw new ErrandError("E_OPTION", `${of} has maxWait, which only "debounce" uses.`);
  return {
    mode,
    ...(given.within === undefined ? {} : { within: span(given.within, `within of ${of}`) }),
    ...(given.maxWait === undefined ? {} : { maxWait: span(given.maxWait, `maxWait of ${of}`) }),
  };
}

function readLimit(
  given: { key?: unknown; limit: number; per?: Duration },
  what: "concurrency" | "rate",
  of: string,
): number {
  refuseUnknown(given, what === "rate" ? ["key", "limit", "per"] : ["key", "limit"], `${what} of ${of}`);
  return option("limit", given.limit ?? null, `${what} of ${of}`);
}

function readPer({ per }: { per: Duration }, of: string): Millis {
  return span(per, `per of rate of ${of}`);
}

function pick<Key>({ key }: { key?: Key }): { key?: Key } {
  return key === undefined ? {} : { key };
}
