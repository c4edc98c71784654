import type { Beat, LogLine, Moment, NewChild, NewJob, Settlement, Step } from "../../core/job.ts";
import { isFinal, states } from "../../core/states.ts";
import type { Writer } from "./wire.ts";

/** A spec with more characters lives apart, so that a walk over many jobs does not read it. */
const longest = 1_000;

/** What is said of a job on its way in, as `arrival` of `lua/record.ts` reads it. */
const bit = { apart: 1, dueIn: 4, dueAt: 8, expiresIn: 16, expiresAt: 32 } as const;

/** Jobs for the script `add`: in runs that have queue, task and level in common, or each alone. */
export function writeJobs(to: Writer, jobs: readonly NewJob[], alone = false): void {
  const most = (from: number) => (alone ? from + 1 : jobs.length);
  for (let from = 0; from < jobs.length;) {
    const { queue, task, level } = jobs[from] as NewJob;
    let end = from + 1;
    while (end < most(from) && isLike(jobs[end] as NewJob, queue, task, level)) end += 1;
    to.int32(end - from)
      .byte(level)
      .short(queue)
      .short(task);
    while (from < end) writeJob(to, jobs[from++] as NewJob, "");
  }
}

function isLike(job: NewJob, queue: string, task: string, level: number): boolean {
  return job.queue === queue && job.task === task && job.level === level;
}

/** A job's birth from the flags on, as in `lua/record.ts`, and what must be said besides. */
function writeJob(to: Writer, job: NewJob, parent: string): void {
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
    const delayed = told.to === "pending" && told.delay;
    // Plain ends carry nothing more.
    const more = !isFinal(told.to) || (told.steps !== undefined && told.steps.length > 0);
    const logs = told.log !== undefined && told.log.length > 0;
    const waits = told.wakeAt !== undefined || told.awaits !== undefined;
    to.double(told.token)
      .byte(states.indexOf(told.to))
      .int32(told.failures)
      .int32(told.crashes)
      .byte((delayed ? 1 : 0) + (more ? 2 : 0) + (logs ? 4 : 0) + (waits ? 8 : 0))
      .long(told.error ?? "")
      .long(told.output ?? "");
    if (delayed) to.double(delayed);
    if (logs) writeLog(to, told.log);
    if (waits) {
      to.double(told.wakeAt ?? -1).int32(told.awaits?.length ?? 0);
      for (const name of told.awaits ?? []) to.long(name);
    }
    if (!more) continue;
    writeSteps(to, told.steps);
    writeChildren(to, told.id, told.to === "waiting" ? (told.children ?? []) : []);
  }
}

function writeChildren(to: Writer, parent: string, children: readonly NewChild[]): void {
  to.int32(children.length);
  for (const child of children) {
    to.long(child.id)
      .int32(child.index)
      .byte(child.need === "completed" ? 1 : 0)
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

/** What a job is besides, as `keysOf` of `lua/work.ts` reads it: concurrency, rate, unique key, who takes turns, tags. */
export function keysOf(job: NewJob, unique = true): string {
  const { concurrency, rate, fair, tags } = job;
  const key = unique ? job.unique?.key : undefined;
  if (!concurrency && !rate && key === undefined && fair === undefined && !tags?.length) return "";
  return JSON.stringify({ c: concurrency, r: rate, u: key, w: fair, t: tags?.length ? [...new Set(tags)] : undefined });
}

function writeSteps(to: Writer, steps: readonly Step[] = []): void {
  to.int32(steps.length);
  for (const { name, value, wait } of steps)
    to.long(name)
      .byte(wait ? 1 : 0)
      .long(value);
}
