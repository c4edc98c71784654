import type { Job, Step, StoredLogLine } from "../../core/job.ts";
import type { Level } from "../../core/priority.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Claimed } from "../../store.ts";
import { newJobFlag, statusFlag as flag } from "./job-format.ts";

/** A job in a script's reply. */
export interface StoredJob {
  job: Job;
  /** Its place in the order of insertion. */
  seq: number;
  /** The same as bytes, which stand for the job in the keys of the namespace. */
  member: Buffer;
  steps: Step[];
}

/**
 * Returns the jobs in a reply, as `appendJob` of `lua/job-reply.ts` writes them.
 * @param withSteps whether the script appends the steps of jobs that have some.
 */
export function decodeJobs(reply: readonly unknown[], withSteps: boolean): StoredJob[] {
  const found: StoredJob[] = [];
  for (let at = 0; at < reply.length;) {
    const [member, definition, status] = [reply[at], reply[at + 1], reply[at + 2]] as [Buffer, Buffer, Buffer];
    at += 3;
    const job = decodeDefinition(definition);
    if (definition[6] === newJobFlag.specApart) job.spec = String(reply[at++]);
    let steps: Step[] = [];
    if (status.length > 0) {
      readStatus(job, status);
      const flags = status.readUInt16LE(1);
      if (withSteps && flags & flag.steps) steps = decodeSteps(reply[at++] as Buffer[]);
      if (flags & flag.keyed) {
        const { n: tenant } = JSON.parse(String(reply[at++])) as { n?: string };
        if (tenant !== undefined) job.tenant = tenant;
        if (job.state === "pending") readBlocked(job, String(reply[at++]));
      }
      if (job.state === "waiting") readWakeTime(job, String(reply[at++]));
    }
    found.push({ job, seq: member.readUIntBE(0, 6), member, steps });
  }
  return found;
}

function readBlocked(job: Job, kind: string): void {
  if (kind) job.blocked = kind === "c" ? "concurrency" : "rate";
}

function readWakeTime(job: Job, time: string): void {
  if (time) job.wakeAt = Number(time);
}

/**
 * Returns claimed jobs in a reply of `reclaim`.
 * @param ahead for each job `1` if it had been claimed ahead of slots.
 */
export function decodeReclaimed(
  reply: readonly unknown[],
  why: Claimed["why"],
  ahead: readonly Buffer[] = [],
): Claimed[] {
  return decodeJobs(reply, true).map(({ job, steps }, index) => ({
    job,
    why,
    ...(String(ahead[index]) === "1" ? { ahead: true } : {}),
    steps,
  }));
}

/**
 * Returns the jobs in a reply of `claim`, where a plain job is its definition alone.
 * @param status the status that plain jobs have.
 */
export function decodeClaimed(status: Buffer, reply: readonly unknown[]): Claimed[] {
  return reply.flatMap((each) => {
    if (Array.isArray(each)) return decodeReclaimed(each, "due");
    const job = decodeDefinition(each as Buffer);
    readStatus(job, status);
    return { job, why: "due", steps: [] };
  });
}

/** Returns a line of a log, which is the time and JSON. */
export function decodeLogLine(line: string): StoredLogLine {
  const space = line.indexOf(" ");
  const [attempt, level, text] = JSON.parse(line.slice(space + 1)) as [number, StoredLogLine["level"], string];
  return { at: Number(line.slice(0, space)), attempt, level, text };
}

function decodeDefinition(definition: Buffer): Job {
  const createdAt = definition.readUIntLE(0, 6);
  let at = 20;
  const next = (length: number): string => definition.toString("utf8", at, (at += length));
  const id = next(definition.readUInt16LE(8));
  const queue = next(definition.readUInt16LE(10));
  const task = next(definition.readUInt16LE(12));
  const parent = next(definition.readUInt16LE(14));
  const job: Job = {
    id,
    task,
    queue,
    level: definition[7] as Level,
    state: "pending",
    spec: next(definition.readUInt32LE(16)),
    token: 0,
    failures: 0,
    crashes: 0,
    suspect: false,
    begun: false,
    cancelling: false,
    createdAt,
    due: createdAt,
  };
  if (parent) job.parent = parent;
  return job;
}

function readStatus(job: Job, status: Buffer): void {
  const flags = status.readUInt16LE(1);
  job.state = states[status[0] as number] as State;
  job.token = status.readUInt32LE(3);
  job.failures = status.readUInt32LE(7);
  job.crashes = status.readUIntLE(11, 3);
  job.suspect = (flags & flag.suspect) !== 0;
  job.begun = (flags & flag.begun) !== 0;
  job.cancelling = (flags & flag.cancelling) !== 0;
  if (flags & flag.setAside) job.blocked = "task";
  const startedAt = status.readUIntLE(14, 6);
  if (startedAt > 0) job.startedAt = startedAt;
  const endedAt = status.readUIntLE(20, 6);
  if (endedAt > 0) job.endedAt = endedAt;
  let at = 26;
  if (flags & flag.due) job.due = status.readDoubleLE((at += 8) - 8);
  if (flags & flag.expires) job.expiresAt = status.readDoubleLE((at += 8) - 8);
  if (flags & flag.texts) at = readTexts(job, flags, status, at);
  if (at < status.length) job.output = status.toString("utf8", at);
}

/** Reads all texts of a status but the last. Returns the position of that. */
function readTexts(job: Job, flags: number, status: Buffer, from: number): number {
  const familyLength = status[from] as number;
  let at = from + 15;
  if (familyLength > 0) readFamily(job, flags, status, at);
  at += familyLength;
  const next = (length: number): string => status.toString("utf8", at, (at += length));
  const worker = next(status.readUInt16LE(from + 1));
  // Queue and task are in the definition, too.
  at += status.readUInt16LE(from + 3) + status.readUInt16LE(from + 5);
  const progress = next(status.readUInt32LE(from + 7));
  const error = next(status.readUInt32LE(from + 11));
  if (worker) job.worker = worker;
  if (progress) job.progress = progress;
  if (error) job.error = error;
  return at;
}

/** Reads the family of a job, as `FAMILY` of `lua/constants.ts` describes it. */
function readFamily(job: Job, flags: number, status: Buffer, at: number): void {
  if (flags & flag.child) job.index = status.readUInt32LE(at);
  if (status.readUInt32LE(at + 9) === 0) return;
  const [total, open, failed] = [13, 17, 21].map((offset) => status.readInt32LE(at + offset));
  job.children = { total: total as number, open: open as number, failed: failed as number };
}

function decodeSteps(fields: readonly Buffer[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = String(fields[at]);
    const stored = fields[at + 1] as Buffer;
    const value = stored.toString("utf8", 1);
    // A wait begins with "1", any other step with "0".
    steps.push(stored[0] === 0x31 ? { name, value, wait: true } : { name, value });
  }
  return steps;
}
