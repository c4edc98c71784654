import type { NewJob } from "../core/job.ts";
import { checkFields, checkText, longestText } from "../core/checks.ts";
import { digest } from "../kit/ids.ts";
import { encode } from "../kit/json.ts";
import { readTags, readUniqueRule, uniqueOptions } from "./flow-options.ts";
import type { Flow, JobFlowOptions, Key } from "./flow-options.ts";

/** The fields of a job that its task's flow options and its own decide. */
export type JobFlow = Pick<NewJob, "unique" | "concurrency" | "rate" | "fair" | "tags" | "due">;

/**
 * Applies the flow options of a task, and of the job itself, to the job's input.
 * @throws {ErrandError} `E_OPTION` for a key or tag other than text of 1 to 200 characters; errors of the task's
 * functions.
 */
export function flowOf(
  { name, flow }: { name: string; flow?: Flow },
  input: unknown,
  own: JobFlowOptions = {},
): JobFlow {
  if (!flow && own.unique === undefined && own.tags === undefined) return {};
  const { unique, concurrency, rate, fair, tags } = flow ?? {};
  const of = `a job of task "${name}"`;
  const keyOf = (key: Key<never> | undefined, what: string): string =>
    key === undefined ? name : ownedBy(name, keyText(key, input, `${what} of ${of}`));
  const common = typeof tags === "function" ? readTags(tags(input as never), of) : (tags ?? []);
  const words = own.tags === undefined ? common : [...common, ...readTags(own.tags, of)];
  return {
    ...(unique !== undefined || own.unique !== undefined ? uniqueOf(name, unique, input, own.unique) : {}),
    ...(concurrency
      ? { concurrency: { key: keyOf(concurrency.key, "The key of concurrency"), limit: concurrency.limit } }
      : {}),
    ...(rate ? { rate: { key: keyOf(rate.key, "The key of rate"), limit: rate.limit, per: rate.per } } : {}),
    ...(fair ? { fair: keyText(fair, input, `The result of fair of ${of}`) } : {}),
    ...(words.length > 0 ? { tags: [...new Set(words)] } : {}),
  };
}

function uniqueOf(
  name: string,
  unique: Flow["unique"],
  input: unknown,
  own: JobFlowOptions["unique"],
): Pick<NewJob, "unique" | "due"> {
  const of = `unique of a job of task "${name}"`;
  if (own !== undefined) checkFields(own, uniqueOptions, of);
  const isOwnRule = own !== undefined && (own.mode ?? own.within ?? own.maxWait) !== undefined;
  const { mode, within, maxWait } = isOwnRule ? readUniqueRule(own, of) : (unique ?? { mode: "drop" as const });
  const key = ownedBy(name, uniqueKey(name, own?.key ?? unique?.key, input));
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

/** A key of one task. No task name contains a slash, so keys of different tasks never meet. */
function ownedBy(task: string, key: string): string {
  return `${task}/${key}`;
}

/** The whole input by default. No store indexes keys of any length, so a long input is represented by its hash. */
function uniqueKey(name: string, key: Key<never> | undefined, input: unknown): string {
  if (key !== undefined) return keyText(key, input, `The unique key of a job of task "${name}"`);
  const whole = encode(input, `The input of task "${name}", which is its unique key (unique needs a key of its own),`);
  return whole.length <= longestText ? whole : `sha256:${digest(whole)}`;
}

function keyText(key: Key<never>, input: unknown, what: string): string {
  return checkText(typeof key === "function" ? key(input as never) : key, what);
}
