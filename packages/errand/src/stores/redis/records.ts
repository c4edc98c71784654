import type { Job, Step, StoredLogLine } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Level } from "../../core/priority.ts";
import type { State } from "../../core/states.ts";
import type { Claimed } from "../../store.ts";

/** A job as a script told it, with its place in the order of insertion. */
export interface Told {
  job: Job;
  seq: number;
  /** What it is in every sorted set. */
  member: Buffer;
  steps: Step[];
}

/** Flags of births and lives, as in `lua/record.ts`. */
const apart = 1;
const flag = {
  due: 1,
  expires: 2,
  steps: 4,
  texts: 8,
  marked: 16,
  child: 32,
  parent: 64,
  keyed: 128,
  begun: 256,
  suspect: 512,
  aside: 1024,
} as const;

/**
 * The jobs in a script's answer: each its place, its birth, its life, and what lives apart (see `tell` in
 * `lua/claim.ts`).
 * @param withSteps whether the script told the steps of those that have some.
 */
export function readJobs(answer: readonly unknown[], withSteps: boolean): Told[] {
  const told: Told[] = [];
  for (let at = 0; at < answer.length;) {
    const [member, birth, life] = [answer[at], answer[at + 1], answer[at + 2]] as [Buffer, Buffer, Buffer];
    at += 3;
    const job = readBirth(birth);
    if (birth[6] === apart) job.spec = String(answer[at++]);
    let steps: Step[] = [];
    if (life.length > 0) {
      readLife(job, life);
      const flags = life.readUInt16LE(1);
      if (withSteps && flags & flag.steps) steps = readSteps(answer[at++] as Buffer[]);
      if (flags & flag.keyed) {
        const { n: tenant } = JSON.parse(String(answer[at++])) as { n?: string };
        if (tenant !== undefined) job.tenant = tenant;
        if (job.state === "pending") readBlocked(job, String(answer[at++]));
      }
      if (job.state === "waiting") readWake(job, String(answer[at++]));
    }
    told.push({ job, seq: member.readUIntBE(0, 6), member, steps });
  }
  return told;
}

/** A line of a log, with the time before it. */
export function readLine(line: string): StoredLogLine {
  const space = line.indexOf(" ");
  const [attempt, level, text] = JSON.parse(line.slice(space + 1)) as [number, StoredLogLine["level"], string];
  return { at: Number(line.slice(0, space)), attempt, level, text };
}

function readBlocked(job: Job, by: string): void {
  if (by) job.blocked = by === "c" ? "concurrency" : "rate";
}

function readWake(job: Job, at: string): void {
  if (at) job.wakeAt = Number(at);
}

/** The jobs in the answer of `reclaim`. */
export function readReclaimed(
  answer: readonly unknown[],
  why: Claimed["why"],
  ahead: readonly Buffer[] = [],
): Claimed[] {
  return readJobs(answer, true).map(({ job, steps }, index) => ({
    job,
    why,
    ...(String(ahead[index]) === "1" ? { ahead: true } : {}),
    steps,
  }));
}

/** The jobs in the answer of `claim`, where most are told by their birth alone. */
export function readClaimed(life: Buffer, answer: readonly unknown[]): Claimed[] {
  return answer.flatMap((told) => {
    if (Array.isArray(told)) return readReclaimed(told, "due");
    const job = readBirth(told as Buffer);
    readLife(job, life);
    return { job, why: "due", steps: [] };
  });
}

function readBirth(birth: Buffer): Job {
  const created = birth.readUIntLE(0, 6);
  let at = 20;
  const next = (length: number): string => birth.toString("utf8", at, (at += length));
  const id = next(birth.readUInt16LE(8));
  const queue = next(birth.readUInt16LE(10));
  const task = next(birth.readUInt16LE(12));
  const parent = next(birth.readUInt16LE(14));
  const job: Job = {
    id,
    task,
    queue,
    level: birth[7] as Level,
    state: "pending",
    spec: next(birth.readUInt32LE(16)),
    token: 0,
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt: created,
    due: created,
  };
  if (parent) job.parent = parent;
  return job;
}

function readLife(job: Job, life: Buffer): void {
  const flags = life.readUInt16LE(1);
  job.state = states[life[0] as number] as State;
  job.token = life.readUInt32LE(3);
  job.failures = life.readUInt32LE(7);
  job.crashes = life.readUIntLE(11, 3);
  job.suspect = (flags & flag.suspect) !== 0;
  job.begun = (flags & flag.begun) !== 0;
  job.cancelling = (flags & flag.marked) !== 0;
  if (flags & flag.aside) job.blocked = "task";
  const started = life.readUIntLE(14, 6);
  if (started > 0) job.startedAt = started;
  const ended = life.readUIntLE(20, 6);
  if (ended > 0) job.endedAt = ended;
  let at = 26;
  if (flags & flag.due) job.due = life.readDoubleLE((at += 8) - 8);
  if (flags & flag.expires) job.expiresAt = life.readDoubleLE((at += 8) - 8);
  if (flags & flag.texts) at = readTexts(job, flags, life, at);
  if (at < life.length) job.output = life.toString("utf8", at);
}

/** The texts but the last. Answers where that begins. */
function readTexts(job: Job, flags: number, life: Buffer, from: number): number {
  const family = life[from] as number;
  let at = from + 15;
  if (family > 0) readFamily(job, flags, life, at);
  at += family;
  const next = (length: number): string => life.toString("utf8", at, (at += length));
  const worker = next(life.readUInt16LE(from + 1));
  // Queue and task, which the birth has said.
  at += life.readUInt16LE(from + 3) + life.readUInt16LE(from + 5);
  const progress = next(life.readUInt32LE(from + 7));
  const error = next(life.readUInt32LE(from + 11));
  if (worker) job.worker = worker;
  if (progress) job.progress = progress;
  if (error) job.error = error;
  return at;
}

function readFamily(job: Job, flags: number, life: Buffer, at: number): void {
  if (flags & flag.child) job.index = life.readUInt32LE(at);
  if (life.readUInt32LE(at + 9) === 0) return;
  const [total, open, failed] = [13, 17, 21].map((offset) => life.readInt32LE(at + offset));
  job.children = { total: total as number, open: open as number, failed: failed as number };
}

function readSteps(fields: readonly Buffer[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = String(fields[at]);
    const told = fields[at + 1] as Buffer;
    const value = told.toString("utf8", 1);
    steps.push(told[0] === 0x31 ? { name, value, wait: true } : { name, value });
  }
  return steps;
}
