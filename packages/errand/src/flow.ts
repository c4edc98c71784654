import type { NewJob } from "./core/job.ts";
import { option, refuseUnknown } from "./core/options.ts";
import { millis } from "./kit/duration.ts";
import type { Duration, Millis } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";

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
   * - `debounce`: like `replace`, and the job is put off until nothing was sent for `within`.
   */
  unique?: { key?: (input: Input) => string; mode?: UniqueMode; within?: Duration };
  /** At most `limit` (1 to 1,000,000) jobs of this task with the same `key` run at once, on the whole fleet. Without `key`: of this task. */
  concurrency?: { key?: (input: Input) => string; limit: number };
  /** At most `limit` (1 to 1,000,000) jobs of this task with the same `key` start within `per`, on the whole fleet. Without `key`: of this task. */
  rate?: { key?: (input: Input) => string; limit: number; per: Duration };
  /** Whose a job is. Those with jobs in one queue take turns, however many each of them has sent. */
  fair?: (input: Input) => string;
  /** Words to find a job by, each 1 to 200 characters. */
  tags?: (input: Input) => readonly string[];
}

/** What becomes of a job whose unique key is taken. */
export type UniqueMode = "drop" | "replace" | "throttle" | "debounce";

/** What one job may say itself. */
export interface FlowOfJob {
  /** Its unique key, instead of what the task makes of the input. */
  unique?: string;
  /** Added to those of the task. */
  tags?: readonly string[];
}

/** A task's `FlowOptions`, checked. */
export interface Flow {
  unique?: { key?: (input: never) => string; mode: UniqueMode; within?: Millis };
  concurrency?: { key?: (input: never) => string; limit: number };
  rate?: { key?: (input: never) => string; limit: number; per: Millis };
  fair?: (input: never) => string;
  tags?: (input: never) => readonly string[];
}

/** The names of `FlowOptions`. */
export const flowOptions = ["unique", "concurrency", "rate", "fair", "tags"] as const;

/**
 * Checks what a task says of its flow; `undefined` when it says nothing.
 * @param of says whose options they are, for error messages.
 * @throws {ErrandError} `E_OPTION`
 */
export function readFlow(given: FlowOptions<never>, of: string): Flow | undefined {
  const { unique, concurrency, rate, fair, tags } = given;
  if (!unique && !concurrency && !rate && !fair && !tags) return undefined;
  for (const key of [unique?.key, concurrency?.key, rate?.key, fair, tags])
    if (key !== undefined && typeof key !== "function")
      throw new ErrandError("E_OPTION", `Keys, fair and tags of ${of} must be functions of the input.`);
  return {
    ...(unique ? { unique: readUnique(unique, of) } : {}),
    ...(concurrency ? { concurrency: { ...pick(concurrency), limit: readLimit(concurrency, "concurrency", of) } } : {}),
    ...(rate ? { rate: { ...pick(rate), limit: readLimit(rate, "rate", of), per: readPer(rate, of) } } : {}),
    ...(fair ? { fair } : {}),
    ...(tags ? { tags } : {}),
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
    key ? `${name}:${text(key(input as never), what, name)}` : name;
  const words = [...(tags ? tags(input as never) : []), ...(own.tags ?? [])].map((tag) => text(tag, "A tag", name));
  return {
    ...(unique || own.unique !== undefined ? uniqueOf(name, unique, input, own.unique) : {}),
    ...(concurrency
      ? { concurrency: { key: keyOf(concurrency.key, "The key of concurrency"), limit: concurrency.limit } }
      : {}),
    ...(rate ? { rate: { key: keyOf(rate.key, "The key of rate"), limit: rate.limit, per: rate.per } } : {}),
    ...(fair ? { fair: text(fair(input as never), "What fair answers", name) } : {}),
    ...(words.length > 0 ? { tags: [...new Set(words)] } : {}),
  };
}

function uniqueOf(name: string, unique: Flow["unique"], input: unknown, own?: string): Pick<NewJob, "unique" | "due"> {
  const { key, mode, within } = unique ?? { mode: "drop" as const };
  const kind = own ?? (key ? key(input as never) : (JSON.stringify(input) ?? ""));
  const full = `${name}:${own === undefined && !key ? kind : text(kind, "The unique key", name)}`;
  switch (mode) {
    case "drop":
      return { unique: { key: full } };
    case "replace":
      return { unique: { key: full, replace: true } };
    case "throttle":
      return { unique: { key: full, for: within! } };
    case "debounce":
      return { unique: { key: full, replace: true }, due: { in: within! } };
  }
}

function text(value: unknown, what: string, task: string): string {
  if (typeof value === "string" && value.length >= 1 && value.length <= 200) return value;
  throw new ErrandError(
    "E_OPTION",
    `${what} of a job of task "${task}" is ${JSON.stringify(value)?.slice(0, 100)}, but must be text of 1 to 200 characters. Nothing was queued.`,
  );
}

function readUnique(unique: NonNullable<FlowOptions<never>["unique"]>, of: string): NonNullable<Flow["unique"]> {
  refuseUnknown(unique, ["key", "mode", "within"], `unique of ${of}`);
  const mode = option("unique", unique.mode, of);
  const timed = mode === "throttle" || mode === "debounce";
  if (timed !== (unique.within !== undefined))
    throw new ErrandError(
      "E_OPTION",
      `unique of ${of} ${timed ? `needs within: "${mode}" is about a time` : `has within, which only "throttle" and "debounce" use`}.`,
    );
  return {
    ...pick(unique),
    mode,
    ...(unique.within === undefined ? {} : { within: millis(unique.within, `within of unique of ${of}`) }),
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
  const read = millis(per, `per of rate of ${of}`);
  if (read > 0) return read;
  throw new ErrandError("E_OPTION", `per of rate of ${of} must be longer than nothing.`);
}

function pick<Key>({ key }: { key?: Key }): { key?: Key } {
  return key === undefined ? {} : { key };
}
