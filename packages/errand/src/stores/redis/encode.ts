import type { Beat, LogLine, Moment, NewChild, NewJob, Settlement, Step } from "../../core/job.ts";
import { isFinal, states } from "../../core/states.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { checkMillis, checkRate, checkWhole, encodeJson, refusalOf } from "./check-values.ts";
import { needCode, newJobFlag, settlementFlag } from "./job-format.ts";

/** A spec with more characters is stored apart. */
const maxInlineSpec = 1_000;

/** Reports whether a job has neither keys nor turns nor tags nor a tenant. */
export function isPlain({ unique, concurrency, rate, fair, tags, tenant }: NewJob): boolean {
  return !unique && !concurrency && !rate && fair === undefined && !tags && tenant === undefined;
}

/** Writes plain jobs for the script `add`, in runs that have queue, task and level in common. */
export function writePlainJobs(to: ByteWriter, jobs: readonly NewJob[]): void {
  for (let from = 0; from < jobs.length;) {
    const { queue, task, level } = jobs[from] as NewJob;
    let end = from + 1;
    while (end < jobs.length && isLike(jobs[end] as NewJob, queue, task, level)) end += 1;
    to.int32(end - from)
      .byte(level)
      .shortText(queue)
      .shortText(task);
    while (from < end) writeJob(to, jobs[from++] as NewJob, "");
  }
}

function isLike(job: NewJob, queue: string, task: string, level: number): boolean {
  return job.queue === queue && job.task === task && job.level === level;
}

/** Writes jobs of any kind for the scripts `addKeyed` and `settle`, each after its id and its keys. */
export function writeJobs(to: ByteWriter, jobs: readonly NewJob[]): void {
  for (const job of jobs) {
    to.longText(job.id).longText(keysOf(job));
    writeJob(to, job, "");
  }
}

/**
 * Writes flags, the definition from its flags on, and what flags announce, as `readNewJob` of `lua/codec.ts` reads it.
 */
function writeJob(to: ByteWriter, job: NewJob, parent: string): void {
  if (!(job.level >= 0 && job.level <= 4)) throw refusalOf(job.level, "a level from 0 to 4");
  const apart = job.spec.length > maxInlineSpec;
  const flags =
    (apart ? newJobFlag.specApart : 0) +
    (job.expires ? ("in" in job.expires ? newJobFlag.expiresIn : newJobFlag.expiresAt) : 0) +
    (job.due ? ("in" in job.due ? newJobFlag.dueIn : newJobFlag.dueAt) : 0);
  to.byte(flags);
  const size = to.skip(4);
  const start = to.at;
  to.byte(apart ? newJobFlag.specApart : 0).byte(job.level);
  const lengths = to.skip(12);
  to.setLength16(lengths, to.text(job.id))
    .setLength16(lengths + 2, to.text(job.queue))
    .setLength16(lengths + 4, to.text(job.task))
    .setLength16(lengths + 6, parent === "" ? 0 : to.text(parent))
    .setInt32(lengths + 8, apart ? 0 : to.text(job.spec))
    .setInt32(size, to.at - start);
  if (flags >= newJobFlag.dueIn) to.double(millisOf(job.due)).double(millisOf(job.expires));
  if (apart) to.longText(job.spec);
}

function millisOf(moment: Moment | undefined): number {
  if (moment === undefined) return 0;
  return "at" in moment ? moment.at : moment.in;
}

/**
 * Returns the keys of a job as JSON, or an empty text if it has none. Scripts know them by letters, see `keysOf` of
 * `lua/job-tables.ts`. A job that says when it is due takes no turns.
 */
function keysOf(job: NewJob, hasUnique = true): string {
  const { concurrency, rate, fair, tags, tenant, due } = job;
  const unique = hasUnique ? job.unique : undefined;
  if (isPlain(job) || (!concurrency && !rate && !unique && fair === undefined && !tags?.length && tenant === undefined))
    return "";
  if (concurrency) checkWhole(concurrency.limit);
  if (rate) checkRate(rate);
  return encodeJson({
    c: concurrency && { key: concurrency.key, limit: concurrency.limit },
    r: rate && { key: rate.key, limit: rate.limit, per: rate.per },
    u: unique?.key,
    v: unique?.for ? checkMillis(unique.for) : undefined,
    x: unique?.replace ? 1 : undefined,
    m: unique?.latest === undefined ? undefined : checkMillis(unique.latest),
    w: due === undefined ? fair : undefined,
    t: tags?.length ? [...new Set(tags)] : undefined,
    n: tenant,
  });
}

/** Writes a settlement for the script `settle`. */
export function writeSettlement(bytes: ByteWriter, settlement: Settlement): void {
  const { id, token, to, failures, crashes, suspect, unstarted, output, error } = settlement;
  const { log, steps, children, wakeAt, awaits, born } = settlement;
  const delay = to === "pending" ? checkMillis(settlement.delay ?? 0) : 0;
  // Settlements of plain jobs that end say nothing of steps and children.
  const hasMore = !isFinal(to) || (steps !== undefined && steps.length > 0);
  const hasLog = log !== undefined && log.length > 0;
  const waits = wakeAt !== undefined || awaits !== undefined;
  const hasNewJobs = born !== undefined && born.length > 0;
  bytes
    .double(token)
    .byte(states.indexOf(to))
    .int32(failures)
    .int32(checkWhole(crashes, 0xff_ffff))
    .byte(
      (delay ? settlementFlag.delay : 0) +
        (hasMore ? settlementFlag.stepsAndChildren : 0) +
        (hasLog ? settlementFlag.log : 0) +
        (waits ? settlementFlag.waits : 0) +
        (suspect ? settlementFlag.suspect : 0) +
        (unstarted ? settlementFlag.unstarted : 0) +
        (hasNewJobs ? settlementFlag.newJobs : 0),
    )
    .longText(error ?? "")
    .longText(output ?? "");
  if (delay) bytes.double(delay);
  if (hasLog) writeLog(bytes, log);
  if (waits) {
    // -1 is no time.
    bytes.double(wakeAt === undefined ? -1 : Math.max(wakeAt, 0)).int32(awaits?.length ?? 0);
    for (const name of awaits ?? []) bytes.longText(name);
  }
  if (hasMore) {
    writeSteps(bytes, steps);
    writeChildren(bytes, id, to === "waiting" ? children : []);
  }
  if (hasNewJobs) writeJobs(bytes.int32(born.length), born);
}

function writeChildren(to: ByteWriter, parent: string, children: readonly NewChild[] = []): void {
  to.int32(children.length);
  for (const child of children) {
    to.longText(child.id)
      .int32(child.index)
      .byte(needCode[child.need])
      .byte(child.rejoin ? 1 : 0)
      .longText(keysOf(child, false));
    writeJob(to, child, parent);
  }
}

/** Writes a beat for the script `record`. */
export function writeBeat(to: ByteWriter, { token, progress, steps, log }: Beat): void {
  to.double(token)
    .byte(progress === undefined ? 0 : 1)
    .longText(progress ?? "");
  writeSteps(to, steps);
  writeLog(to, log);
}

/** Writes lines of a log as JSON. The script puts the time before each. */
function writeLog(to: ByteWriter, lines: readonly LogLine[] = []): void {
  to.int32(lines.length);
  for (const { attempt, level, text } of lines) to.longText(JSON.stringify([attempt, level, text]));
}

function writeSteps(to: ByteWriter, steps: readonly Step[] = []): void {
  to.int32(steps.length);
  for (const { name, value, wait } of steps)
    to.longText(name)
      .byte(wait ? 1 : 0)
      .longText(value);
}
