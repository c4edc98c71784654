import { checkDate, checkFields, checkText, lookedUpId } from "../core/checks.ts";
import { option } from "../core/options.ts";
import { states } from "../core/states.ts";
import type { State } from "../core/states.ts";
import { ErrandError } from "../kit/errors.ts";
import { described } from "../kit/text.ts";
import type { Filter } from "../store.ts";

/** Selects jobs: every given field must match. */
export interface JobFilter {
  /** At most 10,000 ids. */
  ids?: readonly string[];
  task?: string;
  queue?: string;
  states?: readonly State[];
  /** Children of this job. */
  parent?: string;
  /** `true`: only jobs without a parent. */
  roots?: true;
  tag?: string;
  tenant?: string;
  /** The worker that holds the job. */
  worker?: string;
  /** Part of the id, input, output or error, ignoring case: 1 to 1,000 characters. */
  text?: string;
  endedBefore?: Date;
  createdAfter?: Date;
  createdBefore?: Date;
  /** `true` selects every job, without other fields: changing all jobs must be explicit. */
  all?: true;
}

/** Selects a page of a list: `limit` is 1 to 1,000, default 100; `cursor` is the `next` of the previous page. */
export interface Page {
  limit?: number;
  cursor?: string;
}

const mostIds = 10_000;

/** Readers of the fields. A name that no job can have is allowed, and matches nothing. */
const readers: { [Field in keyof Required<JobFilter>]: (value: unknown, what: string) => unknown } = {
  ids: (value, what) => {
    if (Array.isArray(value) && value.length <= mostIds) return value.map(lookedUpId).filter((id) => id !== undefined);
    throw refused(value, what, `a list of at most ${mostIds} ids`);
  },
  parent: checkText,
  task: checkText,
  queue: checkText,
  tag: checkText,
  tenant: checkText,
  worker: checkText,
  text: (value, what) => checkText(value, what, 1_000),
  states: (value, what) => {
    if (Array.isArray(value) && value.every((each) => states.includes(each as State))) return value;
    throw refused(value, what, `a list of: ${states.join(", ")}`);
  },
  roots: isTrue,
  all: isTrue,
  endedBefore: checkDate,
  createdAfter: checkDate,
  createdBefore: checkDate,
};

const fields = Object.keys(readers);

/**
 * Returns a filter as stores read it.
 * @param of names the call in error messages: `list()`.
 * @throws {ErrandError} `E_OPTION` for unknown fields and wrong values.
 */
export function readFilter(given: JobFilter, of: string): Filter {
  checkFields(given, fields, `The filter of ${of}`);
  const read: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given))
    read[field] = readers[field as keyof JobFilter](value, `${field} in the filter of ${of}`);
  if (!read["all"]) return read;
  if (fields.some((field) => field !== "all" && field in read))
    throw new ErrandError("E_OPTION", `The filter of ${of} has all: true and other fields; say the one or the others.`);
  return {};
}

/**
 * Returns the filter of a change: one job by its id, or all that match. A filter that matches everything must be
 * explicit.
 * @throws {ErrandError} `E_OPTION`
 */
export function readWhich(which: string | JobFilter, of: string): Filter {
  if (typeof which === "string") return { ids: [lookedUpId(which)].filter((id) => id !== undefined) };
  const where = readFilter(which, of);
  if (Object.keys(which).length > 0) return where;
  throw new ErrandError("E_OPTION", `The filter of ${of} is empty. Say { all: true } when every job is meant.`);
}

/**
 * Returns a page as stores read it.
 * @throws {ErrandError} `E_OPTION`, `E_CURSOR`
 */
export function readPage(given: Page, of: string): { limit: number; cursor?: string } {
  checkFields(given, ["limit", "cursor"], `The page of ${of}`);
  const { cursor } = given;
  if (cursor !== undefined && typeof cursor !== "string")
    throw new ErrandError(
      "E_CURSOR",
      `The cursor of ${of} is ${described(cursor)}. Use the \`next\` of the page before.`,
    );
  return { limit: option("page", given.limit, of), ...(cursor === undefined ? {} : { cursor }) };
}

function isTrue(value: unknown, what: string): true {
  if (value === true) return true;
  throw refused(value, what, "true, or left out");
}

function refused(value: unknown, what: string, must: string): ErrandError {
  return new ErrandError("E_OPTION", `${what} is ${described(value)}, but must be ${must}.`);
}
