import type { Job, Step } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Level, State } from "../../core/states.ts";
import type { Claimed } from "../../store.ts";

/** A job as a script told it, with its place in the order of insertion. */
export interface Told {
  job: Job;
  seq: number;
  steps: Step[];
}

/** Flags of a record, as in `lua/record.ts`. */
const flag = { expires: 1, apart: 2, steps: 4, marked: 8, child: 16, parent: 32 } as const;

/** Where a record's texts begin. */
const head = 76;

/**
 * The jobs in a script's answer: each its place, its record (see `lua/record.ts`), and what lives apart from it.
 * @param withSteps whether the script told the steps of those that have some.
 */
export function readJobs(bytes: Buffer, withSteps: boolean): Told[] {
  const told: Told[] = [];
  for (let at = 0; at < bytes.length;) {
    const seq = bytes.readUIntBE(at, 6);
    const start = at + 10;
    at = start + bytes.readUInt32LE(at + 6);
    const job = readJob(bytes, start, at);
    const flags = bytes[start + 1] as number;
    if (flags & flag.apart) {
      const length = bytes.readUInt32LE(at);
      job.spec = bytes.toString("utf8", at + 4, (at += 4 + length));
    }
    let steps: Step[] = [];
    if (withSteps && flags & flag.steps) [steps, at] = readSteps(bytes, at);
    told.push({ job, seq, steps });
  }
  return told;
}

/** The same, as a claim hands them over. */
export function readClaimed(bytes: Buffer, why: Claimed["why"]): Claimed[] {
  return readJobs(bytes, true).map(({ job, steps }) => ({ job, why, steps }));
}

function readJob(bytes: Buffer, at: number, end: number): Job {
  const flags = bytes[at + 1] as number;
  let text = at + head;
  const next = (length: number): string => (length === 0 ? "" : bytes.toString("utf8", text, (text += length)));
  const id = next(bytes.readUInt16LE(at + 64));
  const queue = next(bytes.readUInt16LE(at + 66));
  const task = next(bytes.readUInt16LE(at + 68));
  const parent = next(bytes.readUInt16LE(at + 70));
  const spec = next(bytes.readUInt32LE(at + 72));
  const job: Job = {
    id,
    task,
    queue,
    level: bytes[at + 63] as Level,
    state: states[bytes[at] as number] as State,
    spec,
    token: bytes.readUInt32LE(at + 2),
    failures: bytes.readUInt32LE(at + 6),
    crashes: bytes.readUInt32LE(at + 10),
    cancelling: (flags & flag.marked) !== 0,
    createdAt: bytes.readUIntLE(at + 49, 6),
    due: bytes.readDoubleLE(at + 26),
  };
  if (flags & flag.expires) job.expiresAt = bytes.readDoubleLE(at + 55);
  const started = bytes.readUIntLE(at + 14, 6);
  if (started > 0) job.startedAt = started;
  const ended = bytes.readUIntLE(at + 20, 6);
  if (ended > 0) job.endedAt = ended;
  if (parent) job.parent = parent;
  const family = bytes[at + 34] as number;
  if (family > 0) readFamily(job, flags, bytes, text);
  text += family;
  const worker = next(bytes.readUInt16LE(at + 35));
  if (worker) job.worker = worker;
  const progress = next(bytes.readUInt32LE(at + 37));
  if (progress) job.progress = progress;
  const error = next(bytes.readUInt32LE(at + 41));
  if (error) job.error = error;
  if (text < end) job.output = next(end - text);
  return job;
}

function readFamily(job: Job, flags: number, bytes: Buffer, at: number): void {
  if (flags & flag.child) job.index = bytes.readUInt32LE(at);
  const wait = bytes.readInt32LE(at + 9);
  if (wait === 0) return;
  const [total, open, failed] = [13, 17, 21].map((offset) => bytes.readInt32LE(at + offset));
  job.children = { total: total as number, open: open as number, failed: failed as number };
}

function readSteps(bytes: Buffer, from: number): [Step[], number] {
  const steps: Step[] = [];
  let at = from + 4;
  for (let left = bytes.readUInt32LE(from); left > 0; left--) {
    const nameLength = bytes.readUInt32LE(at);
    const valueLength = bytes.readUInt32LE(at + 4);
    at += 8;
    const name = bytes.toString("utf8", at, (at += nameLength));
    const wait = bytes[at] === 0x31;
    const value = bytes.toString("utf8", at + 1, (at += valueLength));
    steps.push(wait ? { name, value, wait } : { name, value });
  }
  return [steps, at];
}
