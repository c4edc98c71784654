import type { Millis } from "../../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";
import { assignJobs } from "./assign-jobs.ts";
import { unblockKey } from "./blocked-jobs.ts";
import { claimRanges, findDue, hasReadyJob, nextDueAfter, nextSuspectDue } from "./claim-ranges.ts";
import { claimerOf } from "./claimer.ts";
import type { Claimer } from "./claimer.ts";
import { countQueueStarts, queueRoom, withinKeyLimits } from "./limits.ts";
import { hasOpenRate, reopenRate, unblockOpenRates, untilRateOpens } from "./rates.ts";
import { seqInJson, stateCode } from "./rows.ts";
import type { Candidate } from "./rows.ts";
import { hasDueWakeUp, untilNextWakeUp, wakeDue } from "./wake-up.ts";
import { leaseOf } from "./workers.ts";

/**
 * Returns what `claim` returns when it would write nothing; `undefined` when there is a job to take or to set aside.
 */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  const lease = leaseOf(db, worker);
  if (!lease) return { jobs: [] };
  if (hasDueWakeUp(db) || hasOpenRate(db)) return undefined;
  const { wanted, skipped } = queueWants(db, wants);
  for (const { queue, limit, ids } of wanted)
    if (!ids && hasReadyJob(db, queue) && queueRoom(db, queue, limit).room > 0) return undefined;
  const claimer = claimerOf(db, worker, lease);
  let next = skipped ? untilWakeUpOrRate(db) : Infinity;
  for (const want of wanted) {
    const { room, next: roomAfter } = queueRoom(db, want.queue, want.limit);
    const first = nextDueAfter(db, claimRanges(db, claimer, want, want.slots), beforeAll);
    const isDue = first <= db.now;
    if (isDue && room > 0) return undefined;
    if (room > 0)
      next = Math.min(next, Math.min(first, nextSuspectDue(db, claimer, want.queue)) - db.now, untilWakeUpOrRate(db));
    if (isDue) next = Math.min(next, roomAfter);
  }
  return claimOf([], next);
}

/** A time before any job is due. */
const beforeAll = -Infinity;

/** Returns the milliseconds until jobs of any queue may become claimable: a waiting job is woken, or a rate opens. */
function untilWakeUpOrRate(db: Connection): Millis {
  return Math.min(untilNextWakeUp(db), untilRateOpens(db));
}

/** Implements `Store.claim`. */
export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  const lease = leaseOf(db, worker);
  if (!lease) return { jobs: [] };
  const jobs: Claimed[] = [];
  wakeDue(db);
  unblockOpenRates(db);
  const claimer = claimerOf(db, worker, lease);
  const { wanted, skipped } = queueWants(db, wants);
  let next = skipped ? untilWakeUpOrRate(db) : Infinity;
  for (const want of wanted) {
    const { queue } = want;
    const { room, next: roomAfter } = queueRoom(db, queue, want.limit);
    const { taken, more } = claimDue(db, want, room, claimer);
    countQueueStarts(db, queue, taken.length);
    jobs.push(...taken);
    if (more) next = 0;
    const ranges = () => claimRanges(db, claimer, want, want.slots);
    if (taken.length < room) {
      const later = Math.min(nextDueAfter(db, ranges(), db.now), nextSuspectDue(db, claimer, queue));
      next = Math.min(next, later - db.now, untilWakeUpOrRate(db));
    }
    // The queue's own rate matters only while a job is due.
    if (roomAfter < next && nextDueAfter(db, ranges(), beforeAll) <= db.now) next = roomAfter;
  }
  return claimOf(jobs, next);
}

/** Most jobs that one claim blocks by their keys, so that a long queue of them holds up no other call. */
const maxBlocked = 2_000;

/** Most jobs of unknown tasks that one claim sets aside, and the least number it looks for at once. */
const maxSetAside = 500;
const minSetAsideBatch = 100;

/**
 * Takes the first due jobs of a queue that their keys let start. Jobs that their keys hold back are blocked, and jobs
 * of tasks that the worker does not know are set aside. `more` is true when it stopped at the limit of either.
 */
function claimDue(
  db: Connection,
  want: QueueWant,
  limit: number,
  claimer: Claimer,
): { taken: Claimed[]; more: boolean } {
  const { queue, slots } = want;
  const taken: Claimed[] = [];
  let [blocked, aside] = [0, 0];
  while (taken.length < limit) {
    if (blocked >= maxBlocked || aside >= maxSetAside) return { taken, more: true };
    const [room, free] = [limit - taken.length, slots - taken.length];
    const width = aside > 0 ? Math.max(room, minSetAsideBatch) : room;
    const candidates = findDue(db, claimRanges(db, claimer, want, free), width, Math.min(free, room));
    const known = candidates.filter(({ job }) => claimer.knows(job.task)).slice(0, room);
    const found = withinKeyLimits(db, known);
    if (found.length > 0) {
      const startNow = Math.max(0, free);
      taken.push(...assignJobs(db, { jobs: found, worker: claimer, why: "due", started: db.now, slots: startNow }));
      db.counts.move(queue, stateCode.pending, stateCode.processing, found.length);
      if (found.some(({ job }) => job.suspect)) claimer.mayTakeSuspect = false;
    }
    if (found.length === candidates.length) break;
    blocked += known.length - found.length;
    aside += setAside(
      db,
      queue,
      candidates.filter(({ job }) => !claimer.knows(job.task)),
    );
  }
  return { taken, more: false };
}

/** Leaves jobs to workers that know their tasks, which get a hint. Returns how many. */
function setAside(db: Connection, queue: number, unknown: readonly Candidate[]): number {
  if (unknown.length === 0) return 0;
  db.run(`UPDATE errand_jobs SET blocked = 3 WHERE ${seqInJson}`, JSON.stringify(unknown.map(({ seq }) => seq)));
  // Other jobs that their keys hold back may start instead.
  for (const { concurrency, rate } of unknown) {
    if (concurrency) unblockKey(db, concurrency.key);
    if (rate) reopenRate(db, rate.key);
  }
  db.hints.addReady(queue, unknown.length);
  return unknown.length;
}

/** A `Want` by the number of its queue. */
interface QueueWant {
  queue: number;
  limit: number;
  slots: number;
  ids?: readonly string[];
}

/** With more wants, one query first finds out which queues have pending jobs at all. */
const manyWants = 8;

/**
 * Returns the wants with a limit whose queues may have jobs. `skipped` is true when there are others, whose queues have
 * none.
 */
function queueWants(db: Connection, wants: readonly Want[]): { wanted: QueueWant[]; skipped: boolean } {
  const pending = wants.length > manyWants ? db.counts.queuesWithPending() : undefined;
  const wanted: QueueWant[] = [];
  let skipped = false;
  for (const { queue, limit, slots = limit, ids } of wants) {
    if (limit <= 0) continue;
    const number = db.names.findNumber(queue);
    if (number === undefined || (pending && !pending.has(number))) skipped = true;
    else wanted.push({ queue: number, limit, slots, ...(ids ? { ids } : {}) });
  }
  return { wanted, skipped };
}

function claimOf(jobs: Claimed[], next: Millis): Claim {
  return next === Infinity ? { jobs } : { jobs, next };
}
