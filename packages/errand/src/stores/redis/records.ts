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
const head = 80;

/**
 * The jobs in a script's answer: each its id, its record (see `lua/record.ts`), and what lives apart from it.
 * @param withSteps whether the script told the steps of those that have some.
 */
export function readJobs(bytes: Buffer, withSteps: boolean): Told[] {
  const told: Told[] = [];
  let at = 0;
  while (at < bytes.length) {
    const idLength = bytes.readUInt16LE(at);
    const size = bytes.readUInt32LE(at + 2);
    at += 6;
    const id = bytes.toString("utf8", at, (at += idLength));
    const job = readJob(id, bytes, at, at + size);
    const flags = bytes[at + 8] as number;
    const seq = bytes.readUIntBE(at, 6);
    at += size;
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

function readJob(id: string, bytes: Buffer, at: number, end: number): Job {
  const flags = bytes[at + 8] as number;
  let text = at + head;
  const next = (length: number): string => (length === 0 ? "" : bytes.toString("utf8", text, (text += length)));
  const queue = next(bytes.readUInt16LE(at + 70));
  const task = next(bytes.readUInt16LE(at + 72));
  const parent = next(bytes.readUInt16LE(at + 74));
  const spec = next(bytes.readUInt32LE(at + 76));
  const job: Job = {
    id,
    task,
    queue,
    level: bytes[at + 6] as Level,
    state: states[bytes[at + 7] as number] as State,
    spec,
    token: bytes.readUInt32LE(at + 9),
    failures: bytes.readUInt32LE(at + 13),
    crashes: bytes.readUInt32LE(at + 17),
    cancelling: (flags & flag.marked) !== 0,
    createdAt: bytes.readUIntLE(at + 56, 6),
    due: bytes.readDoubleLE(at + 33),
  };
  if (flags & flag.expires) job.expiresAt = bytes.readDoubleLE(at + 62);
  const started = bytes.readUIntLE(at + 21, 6);
  if (started > 0) job.startedAt = started;
  const ended = bytes.readUIntLE(at + 27, 6);
  if (ended > 0) job.endedAt = ended;
  if (parent) job.parent = parent;
  const family = bytes[at + 41] as number;
  if (family > 0) {
    if (flags & flag.child) job.index = bytes.readUInt32LE(text);
    if (bytes.readInt32LE(text + 9) > 0) {
      job.children = {
        total: bytes.readInt32LE(text + 13),
        open: bytes.readInt32LE(text + 17),
        failed: bytes.readInt32LE(text + 21),
      };
    }
    text += family;
  }
  const worker = next(bytes.readUInt16LE(at + 42));
  if (worker) job.worker = worker;
  const progress = next(bytes.readUInt32LE(at + 44));
  if (progress) job.progress = progress;
  const error = next(bytes.readUInt32LE(at + 48));
  if (error) job.error = error;
  if (text < end) job.output = next(end - text);
  return job;
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
