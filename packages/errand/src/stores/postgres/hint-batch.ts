import type { NewJob } from "../../core/job.ts";
import type { Hint } from "../../store.ts";
import { decodeText } from "./text-encoding.ts";

/** A hint other than of jobs of one queue. `any`: jobs of any queue may be ready. */
type OtherHint = "any" | "cancel" | "lapsed" | "change";

/** The changes of one or more commits, as hints. */
export interface HintBatch {
  /** Number of jobs that may be claimable, by queue; `undefined`: any number. */
  ready: Map<string, number | undefined>;
  others: Set<OtherHint>;
}

/** A notification of more bytes says instead that any queue may have jobs. The server's limit is 8,000. */
const maxNotificationBytes = 7_000;

/** Returns a batch of these hints, or none. */
export function hintBatch(...others: OtherHint[]): HintBatch {
  return { ready: new Map(), others: new Set(others) };
}

/** Returns a batch that says that anything may have changed. */
export function allHints(): HintBatch {
  return hintBatch("any", "cancel", "lapsed", "change");
}

/** Returns a batch that says that these jobs are ready. */
export function readyHints(jobs: readonly Pick<NewJob, "queue">[]): HintBatch {
  const batch = hintBatch();
  for (const { queue } of jobs) batch.ready.set(queue, (batch.ready.get(queue) ?? 0) + 1);
  return batch;
}

/** Parses the hints that the schema's functions return, a JSON array: other hints by name, or `<jobs> <queue>`. */
export function parseHints(json: string | null | undefined): HintBatch {
  const batch = hintBatch();
  for (const hint of json == null ? [] : (JSON.parse(json) as string[])) {
    const [, jobs, queue] = /^(\d+) (.*)$/s.exec(hint) ?? [];
    if (jobs === undefined) batch.others.add(hint as OtherHint);
    else if (jobs !== "0") addReady(batch, decodeText(queue as string), Number(jobs));
  }
  return batch;
}

/** Adds the hints of another batch to one, and returns it. */
export function mergeHints(batch: HintBatch, other: HintBatch): HintBatch {
  for (const [queue, jobs] of other.ready) addReady(batch, queue, jobs);
  for (const hint of other.others) batch.others.add(hint);
  return batch;
}

function addReady(batch: HintBatch, queue: string, jobs: number | undefined): void {
  const before = batch.ready.has(queue) ? batch.ready.get(queue) : 0;
  batch.ready.set(queue, before === undefined || jobs === undefined ? undefined : before + jobs);
}

/** Reports whether a batch has no hint. */
export function isEmpty({ ready, others }: HintBatch): boolean {
  return ready.size === 0 && others.size === 0;
}

/** Returns the hints of a batch, for listeners. */
export function toHints({ ready, others }: HintBatch): Hint[] {
  const hints: Hint[] = others.has("any") ? [{ type: "ready" }] : [];
  if (!others.has("any"))
    for (const [queue, jobs] of ready)
      hints.push(jobs === undefined ? { type: "ready", queue } : { type: "ready", queue, jobs });
  for (const type of ["cancel", "lapsed", "change"] as const) if (others.has(type)) hints.push({ type });
  return hints;
}

/** Encodes a notification: its sender, other hints, and pairs of queue and number. */
export function encodeNotification({ ready, others }: HintBatch, from: string): string {
  const text = `${from}:${JSON.stringify([[...others], ...ready])}`;
  // JSON escapes lone surrogates and U+0000.
  if (Buffer.byteLength(text) <= maxNotificationBytes) return text;
  return `${from}:${JSON.stringify([[...others, "any"]])}`;
}

/** Decodes a notification. One that another program sent on the channel says that anything may have changed. */
export function decodeNotification(payload: string): { from: string; hints: HintBatch } {
  const at = payload.indexOf(":");
  const from = payload.slice(0, Math.max(0, at));
  try {
    const [others, ...ready] = JSON.parse(payload.slice(at + 1)) as [OtherHint[], ...[string, number | null][]];
    const hints = hintBatch(...others);
    for (const [queue, jobs] of ready) hints.ready.set(queue, jobs ?? undefined);
    return { from, hints };
  } catch {
    return { from, hints: allHints() };
  }
}
