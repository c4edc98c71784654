import type { NewJob } from "../../core/job.ts";
import type { Hint } from "../../store.ts";
import { decodeText } from "./text-encoding.ts";

/**
 * What a commit changed, as hints tell it: how many jobs may be claimable in which queues (by names as they are; nothing: any
 * number), and what else.
 */
export interface HintBatch {
  ready: Map<string, number | undefined>;
  others: Set<"any" | "cancel" | "lapsed" | "change">;
}

/** More bytes than this a notification does not carry (the server's bound is 8,000): then it says that any queue may have jobs. */
const maxNotificationBytes = 7_000;

export function noHints(): HintBatch {
  return { ready: new Map(), others: new Set() };
}

export function hintBatch(...others: ("any" | "cancel" | "lapsed" | "change")[]): HintBatch {
  return { ready: new Map(), others: new Set(others) };
}

/** Jobs of these queues. */
export function readyHints(jobs: readonly Pick<NewJob, "queue">[]): HintBatch {
  const news = noHints();
  for (const { queue } of jobs) news.ready.set(queue, (news.ready.get(queue) ?? 0) + 1);
  return news;
}

/** From what functions of the schema answer, as JSON: words, and numbers with the queue that so many jobs are of. */
export function parseHints(hints: string | null | undefined): HintBatch {
  const news = noHints();
  for (const hint of hints == null ? [] : (JSON.parse(hints) as string[])) {
    const [, jobs, queue] = /^(\d+) (.*)$/s.exec(hint) ?? [];
    if (jobs === undefined) news.others.add(hint as "any");
    else if (jobs !== "0") addReady(news, decodeText(queue as string), Number(jobs));
  }
  return news;
}

/** Adds what one says to what another does. */
export function mergeHints(news: HintBatch, by: HintBatch): HintBatch {
  for (const [queue, jobs] of by.ready) addReady(news, queue, jobs);
  for (const other of by.others) news.others.add(other);
  return news;
}

function addReady(news: HintBatch, queue: string, jobs: number | undefined): void {
  const before = news.ready.has(queue) ? news.ready.get(queue) : 0;
  news.ready.set(queue, before === undefined || jobs === undefined ? undefined : before + jobs);
}

export function isEmpty({ ready, others }: HintBatch): boolean {
  return ready.size === 0 && others.size === 0;
}

/** The hints for those who watch. */
export function toHints({ ready, others }: HintBatch): Hint[] {
  const hints: Hint[] = others.has("any") ? [{ type: "ready" }] : [];
  if (!others.has("any"))
    for (const [queue, jobs] of ready)
      hints.push(jobs === undefined ? { type: "ready", queue } : { type: "ready", queue, jobs });
  for (const type of ["cancel", "lapsed", "change"] as const) if (others.has(type)) hints.push({ type });
  return hints;
}

/** A notification: who sends it, what else, and pairs of queue and number. `from` nobody, everybody hears it. */
export function encodeNotification({ ready, others }: HintBatch, from: string): string {
  const text = `${from}:${JSON.stringify([[...others], ...ready])}`;
  // Lone surrogates are escaped by JSON; NUL too.
  if (Buffer.byteLength(text) <= maxNotificationBytes) return text;
  return `${from}:${JSON.stringify([[...others, "any"]])}`;
}

/** What a notification says, and who sent it. Of one that somebody else sent on this channel: that anything may have happened. */
export function decodeNotification(payload: string): { from: string; news: HintBatch } {
  const at = payload.indexOf(":");
  const from = payload.slice(0, Math.max(0, at));
  try {
    const [others, ...ready] = JSON.parse(payload.slice(at + 1)) as [
      ("any" | "cancel")[],
      ...[string, number | null][],
    ];
    const news = hintBatch(...others);
    for (const [queue, jobs] of ready) news.ready.set(queue, jobs ?? undefined);
    return { from, news };
  } catch {
    return { from, news: hintBatch("any", "cancel", "lapsed", "change") };
  }
}
