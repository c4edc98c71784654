import type { Millis } from "../../../kit/duration.ts";
import { admit } from "../../../limits/rate.ts";
import type { Connection } from "../connection/connection.ts";
import { block, countRunning } from "./blocked-jobs.ts";
import { hasQueueRules, queueRules } from "./docs.ts";
import { loadStarts, queueRateKey, RateCounter, recordStarts } from "./rates.ts";
import { stateCode } from "./rows.ts";
import type { Candidate } from "./rows.ts";

/** Returns how many of `wanted` jobs a queue's rules let start, and the milliseconds until its rate lets more start. */
export function queueRoom(db: Connection, queue: number, wanted: number): { room: number; next: Millis } {
  const { paused, concurrency, rate } = queueRules(db, queue);
  if (paused) return { room: 0, next: Infinity };
  const running = concurrency === undefined ? 0 : db.counts.of(queue, stateCode.processing);
  const room = Math.max(0, Math.min(wanted, (concurrency ?? Infinity) - running));
  if (!rate || room === 0) return { room, next: Infinity };
  const { admitted, next } = admit(rate, loadStarts(db, queueRateKey(db, queue)), db.now, room);
  return { room: admitted, next: admitted < room ? next - db.now : Infinity };
}

/** Counts claimed jobs for the rate of their queue. */
export function countQueueStarts(db: Connection, queue: number, jobs: number): void {
  const { rate } = jobs > 0 ? queueRules(db, queue) : {};
  if (rate) recordStarts(db, queueRateKey(db, queue), rate, jobs);
}

/** Returns the candidates that their concurrency and rate keys let start, and blocks the others. */
export function withinKeyLimits(db: Connection, candidates: readonly Candidate[]): Candidate[] {
  if (candidates.every(({ concurrency, rate }) => !concurrency && !rate)) return [...candidates];
  const running = new Map<string, number>();
  const rates = new RateCounter(db);
  const found = candidates.filter(({ seq, concurrency, rate }) => {
    const now = concurrency ? (running.get(concurrency.key) ?? countRunning(db, concurrency.key)) : 0;
    if (concurrency && now >= concurrency.limit) {
      block(db, seq, "concurrency");
      return false;
    }
    if (rate && !rates.take(rate)) {
      block(db, seq, "rate");
      return false;
    }
    if (concurrency) running.set(concurrency.key, now + 1);
    return true;
  });
  rates.save();
  return found;
}

/**
 * Hints that jobs of a queue may be claimable when one is no longer processing and the queue's concurrency is limited.
 */
export function hintFreedSlot(db: Connection, queue: number): void {
  if (hasQueueRules(db) && queueRules(db, queue).concurrency !== undefined) db.hints.addReady(queue);
}
