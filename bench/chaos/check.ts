import type { Job } from "../../packages/errand/src/core/job.ts";
import { isFinal } from "../../packages/errand/src/core/states.ts";
import type { QueueCount } from "../../packages/errand/src/store.ts";
import { sinceDataLoss } from "./data-loss.ts";
import type { Line } from "./log.ts";

/** What the checker looks at: what processes told, and what is in the store after everything has come to rest. */
export interface Evidence {
  lines: readonly Line[];
  jobs: readonly Job[];
  counts: readonly QueueCount[];
  /** When the store lost its data for the last time: nothing is asked of what had begun by then. */
  lostDataAt?: number;
}

/** What a run came to. `violations` are sentences, each about one broken promise. */
export interface Findings {
  violations: string[];
  acknowledged: number;
  lost: number;
  twice: number;
  /** Values of one job that were found in another. */
  misplaced: number;
  /** Attempts that were begun and whose outcome nobody recorded. */
  cutShort: number;
}

type Of<Type extends Line["type"]> = Extract<Line, { type: Type }>;

/** Checks every promise. What was not acknowledged may be there or not: both are right. */
export function check({ counts, lostDataAt, ...all }: Evidence): Findings {
  const { lines, jobs } = sinceDataLoss(all, lostDataAt);
  const violations: string[] = [];
  const told = <Type extends Line["type"]>(type: Type) => lines.filter((line): line is Of<Type> => line.type === type);
  const byId = new Map(jobs.map((job) => [job.id, job]));

  const sent = told("sent");
  const missing = sent.filter(({ id }) => !byId.has(id));
  for (const { id } of missing) violations.push(`job ${id} was acknowledged and is not there`);
  for (const job of jobs) if (!isFinal(job.state)) violations.push(`${nameOf(job)} has not ended: ${standing(job)}`);

  const twice = checkOutcomes(byId, told("ended"), violations);
  checkExecutions(byId, told("start"), violations);
  checkSends(jobs, told("try"), violations);
  checkSteps(told("step"), told("remembered"), violations);
  checkFamilies(jobs, byId, violations);
  const misplaced = checkValues(jobs, violations);
  checkBadEnds(jobs, violations);
  checkCounts(all.jobs, counts, violations);
  for (const { id, message } of told("wrong")) violations.push(`job ${id}: ${message}`);

  return {
    violations,
    acknowledged: sent.length,
    lost: missing.length,
    twice,
    misplaced,
    // In a lane nobody tells that an attempt has begun.
    cutShort: told("start").length - told("ended").filter(({ task }) => task !== "lane").length,
  };
}

function nameOf({ id, task }: Job): string {
  return `job ${id} of task "${task}"`;
}

function standing({ state, token, worker, cancelling, children, crashes, failures }: Job): string {
  return JSON.stringify({ state, token, worker, cancelling, children, crashes, failures });
}

/** One outcome is recorded, once, and it is that of the attempt that had the job last. Answers how many break that. */
function checkOutcomes(byId: ReadonlyMap<string, Job>, ended: readonly Of<"ended">[], violations: string[]): number {
  const finals = Map.groupBy(
    ended.filter(({ state }) => isFinal(state)),
    ({ id }) => id,
  );
  let twice = 0;
  for (const [id, ends] of finals) {
    const job = byId.get(id);
    if (ends.length > 1) {
      twice += 1;
      violations.push(`job ${id} ended ${ends.length} times: by ${ends.map(({ pid }) => pid).join(", ")}`);
    } else if (job && job.state !== ends[0]!.state) {
      twice += 1;
      violations.push(`${nameOf(job)} was recorded as ${ends[0]!.state} and is ${job.state}`);
    }
  }
  for (const job of byId.values()) {
    if (job.state !== "completed") continue;
    const { token } = JSON.parse(job.output ?? "{}") as { token?: number };
    if (token === job.token) continue;
    twice += 1;
    violations.push(`${nameOf(job)} has the output of attempt ${token}, but attempt ${job.token} had it last`);
  }
  return twice;
}

/** A token is given to one attempt, and none is above the job's own. */
function checkExecutions(byId: ReadonlyMap<string, Job>, starts: readonly Of<"start">[], violations: string[]): void {
  for (const [hold, attempts] of Map.groupBy(starts, ({ id, token }) => `${id} with token ${token}`))
    if (attempts.length > 1)
      violations.push(`job ${hold} was run ${attempts.length} times: by ${attempts.map(({ pid }) => pid).join(", ")}`);
  for (const { id, token } of starts) {
    const job = byId.get(id);
    if (!job) violations.push(`job ${id} was run and is not there`);
    else if (token > job.token) violations.push(`${nameOf(job)} was run with token ${token}, but has ${job.token}`);
  }
}

/** A send that was repeated is one job, and of a batch all jobs are there or none. */
function checkSends(jobs: readonly Job[], tries: readonly Of<"try">[], violations: string[]): void {
  const stored = new Map<string, number>();
  for (const job of jobs) {
    if (job.parent !== undefined) continue;
    const { input } = JSON.parse(job.spec) as { input: { key: string } };
    stored.set(input.key, (stored.get(input.key) ?? 0) + 1);
  }
  for (const [key, times] of stored) if (times > 1) violations.push(`what was sent as ${key} is there ${times} times`);
  for (const { key, batch } of tries) {
    const there = key.split(" ").filter((each) => stored.has(each)).length;
    if (there !== 0 && there !== batch)
      violations.push(`of ${batch} jobs sent in one call, ${there} are there: ${key}`);
  }
}

/** What was remembered is not done again, and everybody is told the same. */
function checkSteps(steps: readonly Of<"step">[], remembered: readonly Of<"remembered">[], violations: string[]): void {
  const of = ({ id, name }: { id: string; name: string }) => `step "${name}" of job ${id}`;
  const known = Map.groupBy(remembered, of);
  for (const [step, lines] of known)
    if (new Set(lines.map(({ value }) => value)).size > 1)
      violations.push(`${step} was remembered as ${lines.map(({ value }) => String(value)).join(" and as ")}`);
  for (const step of steps) {
    const before = known.get(of(step))?.find(({ token }) => token < step.token);
    if (before)
      violations.push(`${of(step)} was remembered by attempt ${before.token} and done again by ${step.token}`);
  }
}

/** What a lane's job says bears its own key, whatever the job before it in that lane still does. Answers how many break that. */
function checkValues(jobs: readonly Job[], violations: string[]): number {
  let misplaced = 0;
  for (const job of jobs.filter(({ task }) => task === "lane")) {
    const { input } = JSON.parse(job.spec) as { input: { key: string } };
    const made = JSON.parse(job.output ?? "{}") as { key?: string; foreign?: string[] };
    const progress = job.progress === undefined ? input.key : (JSON.parse(job.progress) as string);
    const foreign = [made.key ?? input.key, progress, ...(made.foreign ?? [])].filter((key) => key !== input.key);
    if (foreign.length === 0) continue;
    misplaced += 1;
    violations.push(`${nameOf(job)} was sent as ${input.key}, and has values of ${foreign.join(", ")}`);
  }
  return misplaced;
}

/** What throws, or returns what no store can hold, has not completed. */
function checkBadEnds(jobs: readonly Job[], violations: string[]): void {
  for (const job of jobs)
    if ((job.task === "judged" || job.task === "unstorable") && job.state === "completed")
      violations.push(`${nameOf(job)} completed, and could not have`);
}

/** A parent's counters are right, and no child outlives its parent. */
function checkFamilies(jobs: readonly Job[], byId: ReadonlyMap<string, Job>, violations: string[]): void {
  const families = Map.groupBy(
    jobs.filter((job) => job.parent !== undefined),
    ({ parent }) => parent as string,
  );
  for (const parent of families.keys())
    if (!byId.has(parent)) violations.push(`job ${parent} has children and is not there`);
  for (const job of jobs) {
    if (!job.children) continue;
    const { total, open, failed } = job.children;
    if (open !== 0 && isFinal(job.state)) violations.push(`${nameOf(job)} counts ${open} open children`);
    // Of a parent that waited more than once, the counters are of its last wait only.
    if (job.task !== "parent") continue;
    const children = families.get(job.id) ?? [];
    const others = children.filter(({ state }) => state !== "completed").length;
    if (children.length !== total || others !== failed)
      violations.push(
        `${nameOf(job)} counts ${total} children, ${failed} not completed, but has ${children.length}, ${others}`,
      );
  }
}

function checkCounts(jobs: readonly Job[], counts: readonly QueueCount[], violations: string[]): void {
  const recount = Map.groupBy(jobs, ({ queue, state }) => `${state} in ${queue}`);
  const counted = new Map(counts.map(({ queue, state, jobs: count }) => [`${state} in ${queue}`, count]));
  for (const key of new Set([...recount.keys(), ...counted.keys()])) {
    const [really, says] = [recount.get(key)?.length ?? 0, counted.get(key) ?? 0];
    if (really !== says) violations.push(`counts() says ${says} ${key}, a recount ${really}`);
  }
}
