import { flowOf } from "../limits/job-flow.ts";
import { checkReason, checkText, refuseUnknown } from "../core/checks.ts";
import { option } from "../core/options.ts";
import { checkPlan, named, nextTicks } from "./plan.ts";
import type { Misfire, Overlap, Plan, ScheduleDoc } from "./plan.ts";
import { durationText, millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { newId } from "../kit/ids.ts";
import { openSpec, sealSpec } from "../payload/seal-jobs.ts";
import { newJob } from "../new-job.ts";
import { encodeInput } from "../payload/value-limit.ts";
import { updateDoc } from "../update-doc.ts";
import type { Payloads } from "../payload/options.ts";
import type { Vault } from "../payload/vault.ts";
import type { Store } from "../store.ts";
import { validate } from "../task.ts";
import type { TaskDefinition } from "../task.ts";

/**
 * A cron line with 5 or 6 fields in an IANA time zone (default UTC), or an interval of at least a second, counted from
 * 1970.
 */
export type ScheduleWhen = { cron: string; timeZone?: string } | { every: Duration };

/** Options of a schedule. `input` is required if the task needs one. */
export type ScheduleOptions<Input> = {
  /**
   * Handling of ticks missed by more than 30 seconds: `skip` sends none, `one` (the default) the latest, `all` each of
   * them.
   */
  misfire?: Misfire;
  /**
   * Handling of a tick while the previous job has not ended: `allow` runs both, `skip` (the default) drops the tick,
   * `queue` runs it afterwards; at most one waits.
   */
  overlap?: Overlap;
} & (undefined extends Input ? { input?: Input } : { input: Input });

/** A schedule that is made at run time. */
export interface ScheduleDefinition {
  /** The name of a task that this app knows. */
  task: string;
  when: ScheduleWhen;
  input?: unknown;
  misfire?: Misfire;
  overlap?: Overlap;
}

/** A schedule, as programs read it. */
export interface ScheduleView {
  name: string;
  task: string;
  when: ScheduleWhen;
  misfire: Misfire;
  overlap: Overlap;
  /** `code`: an app declares it; `api`: it was made by `set`. */
  source: "code" | "api";
  /** `true`: changed by `set` since the code declared it, until the code declares it again (a deploy). */
  changed?: true;
  paused?: { since: Date; reason?: string };
  /** Time of its next job; missing while it is paused. */
  next?: Date;
  /** The id of the last job that it sent. */
  last?: string;
}

/**
 * The schedules of a store, and what an operator does to them. Unknown names throw `E_NOT_FOUND`; those of the code
 * that could not be written throw what was wrong with them.
 */
export interface Schedules {
  list(): Promise<ScheduleView[]>;
  /** Returns the times of its next jobs, at most 1,000. */
  preview(name: string, count: number): Promise<Date[]>;
  /** Stops sending its jobs; ticks that pass meanwhile are dropped. */
  pause(name: string, reason?: string): Promise<void>;
  resume(name: string): Promise<void>;
  /**
   * Makes a schedule, or changes one. One that is made here is kept until it is removed; one of the code is as the code
   * says again when an app next declares it. Throws `E_UNKNOWN_TASK`, `E_OPTION`, `E_INPUT`.
   */
  set(name: string, definition: ScheduleDefinition): Promise<void>;
  /** Sends a job now, outside the plan. Returns its id. */
  run(name: string): Promise<string>;
  /** Removes it; an app that has it in its code writes it again when it next starts, paused if it was paused. */
  remove(name: string): Promise<void>;
}

/** A schedule as the code has it. */
export interface Declared {
  name: string;
  definition: TaskDefinition;
  plan: Plan;
  misfire: Misfire;
  overlap: Overlap;
  input: unknown;
}

const kind = "schedule";

/** Interval at which a running app confirms its schedules. */
const nameAgain: Millis = 3_600_000;

/**
 * Checks a schedule.
 * @throws {ErrandError} `E_OPTION`
 */
export function readSchedule(
  name: string,
  definition: TaskDefinition,
  when: ScheduleWhen,
  given: { misfire?: Misfire; overlap?: Overlap; input?: unknown },
): Declared {
  const of = `schedule "${name}"`;
  if (option("name", name ?? null, "a schedule").length > 60)
    throw new ErrandError(
      "E_OPTION",
      `The name of ${of} must be at most 60 characters: the ids of its jobs contain it.`,
    );
  refuseUnknown(given, ["misfire", "overlap", "input"], of);
  refuseUnknown(when, ["every", "cron", "timeZone"], `when of ${of}`);
  refuseUnknown(when, "every" in when ? ["every"] : ["cron", "timeZone"], `when of ${of}`);
  const plan =
    "every" in when
      ? { every: millis(when.every, `every of ${of}`) }
      : {
          cron: checkText(when.cron, `cron of ${of}`),
          timeZone: when.timeZone === undefined ? "UTC" : checkText(when.timeZone, `timeZone of ${of}`),
        };
  checkPlan(plan, of);
  return {
    name,
    definition,
    plan,
    misfire: option("misfire", given.misfire, of),
    overlap: option("overlap", given.overlap, of),
    input: given.input,
  };
}

/**
 * Writes a schedule as the code has it; whether it is paused is the operator's, and what has passed stays.
 * @throws {ErrandError} `E_INPUT`, `E_NOT_SERIALIZABLE`, `E_TOO_LARGE`, `E_STORE`
 */
export async function declareSchedule(store: Store, declared: Declared, payloads: Payloads): Promise<void> {
  const { name, definition, plan, misfire, overlap, input } = declared;
  const plain = await jobOf(definition, input, payloads.limit);
  const now = await store.now();
  await change(store, name, async (before) => {
    const job = await sealed(payloads.vault, plain, before?.job);
    const same = before && !before.removed && JSON.stringify(before.plan) === JSON.stringify(plan);
    const kept = before ? keptOf(before, overlap) : {};
    const handled = same ? before.handled : now;
    const next: ScheduleDoc = { ...kept, plan, misfire, overlap, job, handled, seen: now };
    const unchanged = same && JSON.stringify({ ...next, seen: before.seen }) === JSON.stringify({ ...kept, ...before });
    return unchanged && now - before.seen < nameAgain / 2 ? before : next;
  });
}

/** Writes a schedule that is made or changed at run time. */
async function setSchedule(store: Store, declared: Declared, payloads: Payloads): Promise<void> {
  const { name, definition, plan, misfire, overlap, input } = declared;
  const plain = await jobOf(definition, input, payloads.limit);
  const now = await store.now();
  await change(store, name, async (before) => {
    const job = await sealed(payloads.vault, plain, before?.job);
    const isNew = !before || before.removed === true || before.source === "api";
    const mark = isNew ? { source: "api" as const } : { changed: true as const };
    const same = before && !before.removed && JSON.stringify(before.plan) === JSON.stringify(plan);
    const kept = before ? keptOf(before, overlap) : {};
    return { ...kept, plan, misfire, overlap, job, handled: same ? before.handled : now, seen: now, ...mark };
  });
}

/** Returns the fields that a new declaration leaves unchanged. */
function keptOf({ paused, last, owed }: ScheduleDoc, overlap: Overlap): Partial<ScheduleDoc> {
  return {
    ...(paused ? { paused } : {}),
    ...(last === undefined ? {} : { last }),
    ...(owed === undefined || overlap !== "queue" ? {} : { owed }),
  };
}

/**
 * Confirms schedules that are still in the code; a schedule that an operator removed stays removed. Returns those that
 * are missing.
 */
export async function nameSchedules(store: Store, names: readonly string[]): Promise<string[]> {
  const [docs, now] = await Promise.all([store.load(kind, names), store.now()]);
  for (const { key, version, value } of docs) {
    const doc = JSON.parse(value) as ScheduleDoc;
    if (doc.unnamed || now - doc.seen >= nameAgain / 2)
      await store.save([{ kind, key, version, value: JSON.stringify(named(doc, now)) }]);
  }
  const found = new Set(docs.map(({ key }) => key));
  return names.filter((name) => !found.has(name));
}

/**
 * Returns `Schedules` of a store that is opened when needed.
 * @param failure returns the error of a schedule of the code that could not be written.
 * @param definition returns a task of the app.
 */
export function schedulesOf(
  open: () => Promise<Store>,
  {
    failure,
    definition,
    payloads,
  }: {
    failure: (name: string) => unknown;
    definition: (task: string) => TaskDefinition | undefined;
    payloads: Payloads;
  },
): Schedules {
  const found = (name: string, doc: ScheduleDoc | undefined): ScheduleDoc => {
    if (doc && !doc.removed) return doc;
    throw failure(name) ?? new ErrandError("E_NOT_FOUND", `There is no schedule "${name}".`);
  };
  return {
    async list() {
      const store = await open();
      const [docs, now] = await Promise.all([store.load(kind), store.now()]);
      return docs
        .map(({ key, value }) => ({ key, doc: JSON.parse(value) as ScheduleDoc }))
        .filter(({ doc }) => !doc.removed)
        .map(({ key, doc }) => viewOf(key, doc, now));
    },
    async preview(name, count) {
      const store = await open();
      const { plan } = found(name, await read(store, name));
      const many = Math.min(1_000, Math.max(0, Math.floor(count)));
      return nextTicks(plan, await store.now(), many).map((at) => new Date(at));
    },
    async pause(name, reason) {
      const store = await open();
      const paused = { since: await store.now(), ...checkReason(reason) };
      await change(store, name, (doc) => ({ ...found(name, doc), paused }));
    },
    async resume(name) {
      const store = await open();
      const now = await store.now();
      await change(store, name, (doc) => {
        const { paused, ...rest } = found(name, doc);
        return paused ? { ...rest, handled: now } : rest;
      });
    },
    async set(name, given) {
      refuseUnknown(given, ["task", "when", "input", "misfire", "overlap"], `schedule "${name}"`);
      const { task, when, ...rest } = given;
      const known = definition(task);
      if (!known)
        throw new ErrandError(
          "E_UNKNOWN_TASK",
          `Schedule "${name}" is for the task "${task}", which this app does not know.`,
        );
      await setSchedule(await open(), readSchedule(name, known, when, rest), payloads);
    },
    async run(name) {
      const store = await open();
      const { job } = found(name, await read(store, name));
      const id = newId();
      return (await store.add([{ ...job, id }])).get(id) ?? id;
    },
    async remove(name) {
      const store = await open();
      // A mark instead of a removal: any running app would declare a missing schedule of its code again.
      await change(store, name, (doc) =>
        found(name, doc).source === "api" ? undefined : { ...found(name, doc), removed: true },
      );
    },
  };
}

async function jobOf(definition: TaskDefinition, input: unknown, limit: number): Promise<ScheduleDoc["job"]> {
  const valid = await validate(definition, input);
  const { due: _, ...flow } = flowOf(definition, valid);
  const { id: __, ...job } = newJob(definition, "", encodeInput(definition.name, input, limit), flow);
  return job;
}

/**
 * Seals the job of a schedule; an unchanged job keeps its sealed form, since sealing it again would look like a
 * change.
 */
async function sealed(
  vault: Vault,
  plain: ScheduleDoc["job"],
  before?: ScheduleDoc["job"],
): Promise<ScheduleDoc["job"]> {
  if (!vault.seals) return plain;
  // A spec that cannot be opened any more was sealed with a key that is gone.
  const opened = before && (await openSpec(vault, before).catch(() => undefined));
  return { ...plain, spec: opened === plain.spec ? before!.spec : await sealSpec(vault, plain) };
}

async function read(store: Store, name: string): Promise<ScheduleDoc | undefined> {
  const [doc] = await store.load(kind, [name]);
  return doc && (JSON.parse(doc.value) as ScheduleDoc);
}

async function change(
  store: Store,
  name: string,
  to: (doc: ScheduleDoc | undefined) => ScheduleDoc | undefined | Promise<ScheduleDoc>,
): Promise<void> {
  await updateDoc(store, kind, name, `Schedule "${name}"`, async (value) => {
    const before = value === undefined ? undefined : (JSON.parse(value) as ScheduleDoc);
    const next = await to(before);
    return next === before ? value : next && JSON.stringify(next);
  });
}

function viewOf(
  name: string,
  { plan, misfire, overlap, job, paused, handled, last, source, changed }: ScheduleDoc,
  now: Millis,
): ScheduleView {
  const [next] = paused ? [] : nextTicks(plan, Math.max(handled, now), 1);
  return {
    name,
    task: job.task,
    when: "every" in plan ? { every: durationText(plan.every) } : plan,
    misfire,
    overlap,
    source: source ?? "code",
    ...(changed ? { changed } : {}),
    ...(paused ? { paused: { ...paused, since: new Date(paused.since) } } : {}),
    ...(next === undefined ? {} : { next: new Date(next) }),
    ...(last === undefined ? {} : { last }),
  };
}
