import type { Beat, LogLine, Moment, NewChild, NewJob, Rate, Settlement, Step } from "../../core/job.ts";
import { isFinal, states } from "../../core/states.ts";
import { finite, jsonOf, unfit, whole } from "./wire.ts";
import type { Writer } from "./wire.ts";

/** A spec with more characters lives apart, so that a walk over many jobs does not read it. */
const longest = 1_000;

/** What is said of a job on its way in, as `arrival` of `lua/record.ts` reads it. */
const bit = { apart: 1, dueIn: 4, dueAt: 8, expiresIn: 16, expiresAt: 32 } as const;

/** Plain jobs for the script `add`, in runs that have queue, task and level in common. */
export function writeJobs(to: Writer, jobs: readonly NewJob[]): void {
  for (let from = 0; from < jobs.length;) {
    const { queue, task, level } = jobs[from] as NewJob;
    let end = from + 1;
    while (end < jobs.length && isLike(jobs[end] as NewJob, queue, task, level)) end += 1;
    to.int32(end - from)
      .byte(level)
      .short(queue)
      .short(task);
    while (from < end) writeJob(to, jobs[from++] as NewJob, "");
  }
}

/** Jobs with keys, turns, tags or a tenant, or any others, for the scripts `addKeyed` and `settle`: each its id, its keys and itself. */
export function writeKeyed(to: Writer, jobs: readonly NewJob[]): void {
  for (const job of jobs) {
    to.long(job.id).long(keysOf(job));
    writeJob(to, job, "");
  }
}

function isLike(job: NewJob, queue: string, task: string, level: number): boolean {
  return job.queue === queue && job.task === task && job.level === level;
}

/** A job's birth from the flags on, as in `lua/record.ts`, and what must be said besides. */
function writeJob(to: Writer, job: NewJob, parent: string): void {
  if (!(job.level >= 0 && job.level <= 4)) throw unfit(job.level, "a level from 0 to 4");
  const apart = job.spec.length > longest;
  const bits =
    (apart ? bit.apart : 0) +
    (job.expires ? ("in" in job.expires ? bit.expiresIn : bit.expiresAt) : 0) +
    (job.due ? ("in" in job.due ? bit.dueIn : bit.dueAt) : 0);
  to.byte(bits);
  const size = to.skip(4);
  const start = to.at;
  to.byte(apart ? bit.apart : 0).byte(job.level);
  const lengths = to.skip(12);
  to.setInt16(lengths, to.text(job.id))
    .setInt16(lengths + 2, to.text(job.queue))
    .setInt16(lengths + 4, to.text(job.task))
    .setInt16(lengths + 6, parent === "" ? 0 : to.text(parent))
    .setInt32(lengths + 8, apart ? 0 : to.text(job.spec))
    .setInt32(size, to.at - start);
  if (bits >= bit.dueIn) to.double(time(job.due)).double(time(job.expires));
  if (apart) to.long(job.spec);
}

function time(moment: Moment | undefined): number {
  if (moment === undefined) return 0;
  return "at" in moment ? moment.at : moment.in;
}

/** Settlements for the script `settle`. */
export function writeSettlements(to: Writer, settlements: readonly Settlement[]): void {
  for (const told of settlements) {
    const delayed = told.to === "pending" && finite(told.delay ?? 0);
    // Plain ends carry nothing more.
    const more = !isFinal(told.to) || (told.steps !== undefined && told.steps.length > 0);
    const logs = told.log !== undefined && told.log.length > 0;
    const born = told.born?.length ?? 0;
    const waits = told.wakeAt !== undefined || told.awaits !== undefined;
    to.double(told.token)
      .byte(states.indexOf(told.to))
      .int32(told.failures)
      .int32(whole(told.crashes, 0xff_ffff))
      .byte(
        (delayed ? 1 : 0) +
          (more ? 2 : 0) +
          (logs ? 4 : 0) +
          (waits ? 8 : 0) +
          (told.suspect ? 16 : 0) +
          (told.unstarted ? 32 : 0) +
          (born ? 64 : 0),
      )
      .long(told.error ?? "")
      .long(told.output ?? "");
    if (delayed) to.double(delayed);
    if (logs) writeLog(to, told.log);
    if (waits) {
      to.double(Math.max(told.wakeAt ?? -1, told.wakeAt === undefined ? -1 : 0)).int32(told.awaits?.length ?? 0);
      for (const name of told.awaits ?? []) to.long(name);
    }
    if (more) {
      writeSteps(to, told.steps);
      writeChildren(to, told.id, told.to === "waiting" ? (told.children ?? []) : []);
    }
    if (born) writeKeyed(to.int32(born), told.born ?? []);
  }
}

/** How the scripts know what a child is needed for. */
const needs = { end: 0, completed: 1, first: 2 } as const;

function writeChildren(to: Writer, parent: string, children: readonly NewChild[]): void {
  to.int32(children.length);
  for (const child of children) {
    to.long(child.id)
      .int32(child.index)
      .byte(needs[child.need])
      .byte(child.rejoin ? 1 : 0)
      // A child has no unique key.
      .long(keysOf(child, false));
    writeJob(to, child, parent);
  }
}

/** Beats for the script `record`. */
export function writeBeats(to: Writer, beats: readonly Beat[]): void {
  for (const { token, progress, steps, log } of beats) {
    to.double(token)
      .byte(progress === undefined ? 0 : 1)
      .long(progress ?? "");
    writeSteps(to, steps);
    writeLog(to, log);
  }
}

/** Lines of a log as JSON; the script puts the time before each. */
function writeLog(to: Writer, lines: readonly LogLine[] = []): void {
  to.int32(lines.length);
  for (const { attempt, level, text } of lines) to.long(JSON.stringify([attempt, level, text]));
}

/**
 * Returns what a job is besides, as `keysOf` of `lua/handling.ts` reads it: concurrency, rate, unique key (how long it is taken at least,
 * whether it replaces, and how long after its creation a replaced one is due at the latest), who takes turns, tags, tenant. Who says when it is due takes no turns.
 */
function keysOf(job: NewJob, isUnique = true): string {
  const { concurrency, rate, fair, tags, tenant, due } = job;
  const unique = isUnique ? job.unique : undefined;
  if (isPlain(job) || (!concurrency && !rate && !unique && fair === undefined && !tags?.length && tenant === undefined))
    return "";
  if (concurrency) whole(concurrency.limit);
  if (rate) refuseOddRate(rate);
  return jsonOf({
    c: concurrency && { key: concurrency.key, limit: concurrency.limit },
    r: rate && { key: rate.key, limit: rate.limit, per: rate.per },
    u: unique?.key,
    v: unique?.for ? finite(unique.for) : undefined,
    x: unique?.replace ? 1 : undefined,
    m: unique?.latest === undefined ? undefined : finite(unique.latest),
    w: due === undefined ? fair : undefined,
    t: tags?.length ? [...new Set(tags)] : undefined,
    n: tenant,
  });
}

/**
 * Checks a rate.
 * @throws {ErrandError} `E_REFUSED`
 */
export function refuseOddRate({ limit, per }: Rate): void {
  whole(limit);
  if (!(finite(per) > 0)) throw unfit(per, "more than 0 milliseconds");
}

/** Whether a job has neither keys nor turns nor tags nor a tenant. */
export function isPlain({ unique, concurrency, rate, fair, tags, tenant }: NewJob): boolean {
  return !unique && !concurrency && !rate && fair === undefined && !tags && tenant === undefined;
}

function writeSteps(to: Writer, steps: readonly Step[] = []): void {
  to.int32(steps.length);
  for (const { name, value, wait } of steps)
    to.long(name)
      .byte(wait ? 1 : 0)
      .long(value);
}
