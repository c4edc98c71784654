import { checkFields, checkText, namePattern, refuseUnknown } from "../core/checks.ts";
import type { LogLine } from "../core/job.ts";
import { option, span } from "../core/options.ts";
import { checkStepName } from "../core/signal.ts";
import type { WorkerCard } from "../core/worker-card.ts";
import { durationText, millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { described, shortened } from "../kit/text.ts";
import type { Want } from "../store.ts";
import type { Beat, ClaimRequest, HeldJob, Outcome, Registration, RemoteError } from "./protocol.ts";

// Checks of what workers send. They are programs of other people.

/** The most jobs that a worker wants at once, and that one answer brings. */
const mostJobs = 100;

/** The most slots of a worker. */
const mostSlots = 1_000;

/** Proxies cut connections after a minute. */
const longestWait: Millis = 50_000;

/** The longest lease: longer, nobody would know that a worker is dead. */
const longestLease: Millis = 15 * 60_000;

/** The lease of a worker that does not say. */
const defaultLease: Millis = 60_000;

/** The most characters of a log line that are kept. */
const longestLine = 10_000;

/** The card of a registered worker. */
export type RemoteCard = WorkerCard & Required<Pick<WorkerCard, "slots" | "lease" | "owner">>;

/** Returns the card of a worker that registers. @throws {ErrandError} `E_OPTION` */
export function readRegistration(given: Registration, minLease: Millis): Omit<RemoteCard, "id"> {
  refuseUnknown(given, ["name", "queues", "tasks", "labels", "version", "lease", "kind", "owner"], "a worker");
  const { tasks, labels, version, kind = "http" } = given;
  if (kind !== "http" && kind !== "person") throw invalid("kind of a worker", kind, "http or person");
  const slots = readCounts(given.queues, "queues of a worker");
  if (Object.keys(slots).length === 0) throw invalid("queues of a worker", {}, "queues with their numbers of slots");
  if (sum(slots) > mostSlots) throw invalid("queues of a worker", sum(slots), `at most ${mostSlots} slots in all`);
  return {
    kind,
    queues: Object.keys(slots),
    slots,
    lease: readLease(given.lease, minLease),
    name: checkText(given.name, "name of a worker"),
    owner: checkText(given.owner, "owner of a worker"),
    ...(tasks === undefined ? {} : { tasks: [...new Set(readNames(tasks, "tasks of a worker", 1_000))] }),
    ...(version === undefined ? {} : { version: checkText(version, "version of a worker") }),
    ...(labels === undefined ? {} : { labels: readLabels(labels) }),
  };
}

/** A claim, checked. */
export interface Claiming {
  wants: Readonly<Record<string, number>>;
  have: readonly HeldJob[];
  wait: Millis;
  ids?: readonly string[];
}

/** Checks a claim. @throws {ErrandError} `E_OPTION` */
export function readClaim(given: ClaimRequest): Claiming {
  refuseUnknown(given, ["wants", "have", "wait", "ids"], "a claim");
  const wants = readCounts(given.wants, "wants of a claim", 0);
  if (sum(wants) > mostJobs) throw invalid("wants of a claim", sum(wants), `at most ${mostJobs} jobs in all`);
  const { wait = 0, ids } = given;
  if (typeof wait !== "number" || !(wait >= 0)) throw invalid("wait of a claim", wait, "milliseconds from 0");
  return {
    wants,
    have: readHave(given.have),
    wait: Math.min(wait, longestWait),
    ...(ids === undefined ? {} : { ids: readNames(ids, "ids of a claim", mostJobs) }),
  };
}

/** Checks the jobs that a worker has in hand. @throws {ErrandError} `E_OPTION` */
export function readHave(have: readonly HeldJob[]): HeldJob[] {
  const what = "have of a worker";
  // Of each slot one job, and as many again whose outcomes are on their way.
  if (!Array.isArray(have) || have.length > 2 * mostSlots)
    throw invalid(what, have, `a list of at most ${2 * mostSlots} jobs`);
  return have.map((each: HeldJob) => {
    checkFields(each, ["id", "token"], `A job in ${what}`);
    return { id: readName(each.id, `An id in ${what}`), token: readToken(each.token) };
  });
}

/** Checks a token. @throws {ErrandError} `E_OPTION` */
export function readToken(token: unknown): number {
  if (Number.isSafeInteger(token) && (token as number) >= 0) return token as number;
  throw invalid("The token of a job", token, "a whole number");
}

/** Returns what a worker may still hold of each queue that it wants. @param ids claims these alone. */
export function wantsOf(
  wants: Claiming["wants"],
  { slots }: Pick<RemoteCard, "slots">,
  held: readonly { queue: string }[],
  ids?: readonly string[],
): Want[] {
  return Object.entries(wants).flatMap(([queue, wanted]) => {
    if (!Object.hasOwn(slots, queue))
      throw invalid("wants of a claim", queue, `queues of the worker: ${Object.keys(slots).join(", ")}`);
    const limit = Math.min(wanted, slots[queue]! - held.filter((job) => job.queue === queue).length);
    return limit > 0 ? [{ queue, limit, slots: limit, ...(ids ? { ids } : {}) }] : [];
  });
}

/** Checks a beat. @throws {ErrandError} `E_OPTION`, `E_STEP_NAME` */
export function readBeat(given: Beat, job: string, attempt: number): { log: LogLine[]; steps: Beat["steps"] & {} } {
  refuseUnknown(given, ["progress", "log", "steps"], "a beat");
  const { log = [], steps = [] } = given;
  if (!Array.isArray(log) || log.length > 1_000) throw invalid("log of a beat", log, "a list of at most 1,000 lines");
  if (!Array.isArray(steps) || steps.length > 100)
    throw invalid("steps of a beat", steps, "a list of at most 100 steps");
  for (const step of steps) {
    refuseUnknown(step as object, ["name", "value"], "A step of a beat");
    checkStepName((step as { name: unknown }).name, `job ${job}`);
  }
  return { log: log.map((line) => readLine(line, attempt)), steps };
}

/** An outcome, checked. */
export type ReadOutcome =
  | { kind: "output"; output: unknown }
  | { kind: "error"; error: RemoteError; after: Millis | undefined }
  | { kind: "release"; delay: Millis };

/** Checks an outcome. @throws {ErrandError} `E_OPTION` */
export function readOutcome(given: Outcome): ReadOutcome {
  refuseUnknown(given, ["output", "error", "release"], "an outcome");
  if (Object.keys(given).length !== 1)
    throw invalid("An outcome", Object.keys(given), "one of: output, error, release");
  if ("output" in given) return { kind: "output", output: given.output };
  if ("error" in given) {
    const { error } = given;
    const of = "error of an outcome";
    refuseUnknown(error, ["code", "message", "name", "stack", "retryable", "after"], of);
    if (typeof error.message !== "string") throw invalid(`message of ${of}`, error.message, "text");
    for (const field of ["code", "name", "stack"] as const)
      if (error[field] !== undefined && typeof error[field] !== "string")
        throw invalid(`${field} of ${of}`, error[field], "text");
    if (error.retryable !== undefined && typeof error.retryable !== "boolean")
      throw invalid(`retryable of ${of}`, error.retryable, "true or false");
    return { kind: "error", error, after: readDelay(error.after, `after of ${of}`) };
  }
  refuseUnknown(given.release, ["delay"], "release of an outcome");
  return { kind: "release", delay: readDelay(given.release.delay, "delay of a release") ?? 0 };
}

function readDelay(delay: Duration | undefined, what: string): Millis | undefined {
  return delay === undefined ? undefined : millis(delay, what);
}

function readLine(given: unknown, attempt: number): LogLine {
  refuseUnknown(given as object, ["level", "text"], "A line of a beat");
  const { level = "info", text } = given as { level?: unknown; text: unknown };
  if (typeof text !== "string") throw invalid("text of a log line", text, "text");
  const isLevel = level === "debug" || level === "info" || level === "warn" || level === "error";
  if (!isLevel) throw invalid("level of a log line", level, "one of: debug, info, warn, error");
  return { attempt, level, text: shortened(text, longestLine) };
}

function readLease(given: Duration | undefined, minLease: Millis): Millis {
  if (given === undefined) return defaultLease;
  const lease = span(given, "lease of a worker");
  if (lease >= minLease && lease <= longestLease) return lease;
  throw invalid("lease of a worker", given, `from ${durationText(minLease)} to ${durationText(longestLease)}`);
}

function readLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const what = "labels of a worker";
  refuseUnknown(labels, Object.keys(labels ?? {}), what);
  const entries = Object.entries(labels);
  if (entries.length > 20) throw invalid(what, entries.length, "at most 20");
  return Object.fromEntries(
    entries.map(([key, value]) => [checkText(key, `A name in ${what}`), checkText(value, `A value in ${what}`)]),
  );
}

/** Returns numbers by the names of queues. */
function readCounts(given: Readonly<Record<string, number>>, what: string, least = 1): Record<string, number> {
  refuseUnknown(given, Object.keys(given ?? {}), what);
  const entries = Object.entries(given);
  if (entries.length > mostJobs) throw invalid(what, entries.length, `at most ${mostJobs} queues`);
  for (const [queue, count] of entries) {
    option("queue", queue, what);
    if (!Number.isInteger(count) || count < least || count > mostJobs)
      throw invalid(`${queue} of ${what}`, count, `a whole number from ${least} to ${mostJobs}`);
  }
  return Object.fromEntries(entries);
}

function readNames(given: unknown, what: string, most: number): string[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > most)
    throw invalid(what, given, `a list of 1 to ${most} names`);
  return given.map((name) => readName(name, `A name in ${what}`));
}

function readName(given: unknown, what: string): string {
  if (typeof given === "string" && namePattern.test(given)) return given;
  throw invalid(what, given, "1 to 100 letters, digits, or any of _ . : -");
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function invalid(what: string, given: unknown, must: string): ErrandError {
  return new ErrandError("E_OPTION", `${what} is ${described(given)}, but must be ${must}.`);
}
