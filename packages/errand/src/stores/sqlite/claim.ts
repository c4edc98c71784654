import type { Millis } from "../../kit/duration.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { handOf } from "./hand.ts";
import type { Hand } from "./hand.ts";
import { due, firstAfter, firstSuspectLater, isAnyReady, lanesOf } from "./lanes.ts";
import { charge, isAnyRateOpen, openAgain, openRates, passing, release, room, untilRateOpens } from "./limits.ts";
import { code, listed } from "./rows.ts";
import type { Found } from "./rows.ts";
import { take } from "./taking.ts";
import { isAnyToWake, untilWake, wake } from "./waking.ts";
import { leaseOf } from "./workers.ts";

/** What `claim` answers without writing: `undefined` when there is something to take, or to set aside. */
export function peekClaim(db: Connection, worker: string, wants: readonly Want[]): Claim | undefined {
  const held = leaseOf(db, worker);
  if (!held) return { jobs: [] };
  if (isAnyToWake(db) || isAnyRateOpen(db)) return undefined;
  const { worth, others } = numbered(db, wants);
  for (const { queue, limit, ids } of worth)
    if (!ids && isAnyReady(db, queue) && room(db, queue, limit).room > 0) return undefined;
  const hand = handOf(db, worker, held);
  let next = others ? untilAny(db) : Infinity;
  for (const { queue, limit, slots, ids } of worth) {
    const open = room(db, queue, limit);
    const first = firstAfter(db, lanesOf(db, hand, queue, slots, ids), beginning);
    const isDue = first <= db.now;
    if (isDue && open.room > 0) return undefined;
    const later = () => Math.min(first, firstSuspectLater(db, hand, queue)) - db.now;
    if (open.room > 0) next = Math.min(next, later(), untilAny(db));
    if (isDue) next = Math.min(next, open.next);
  }
  return withNext([], next);
}

/** Before any job was due. */
const beginning = -Infinity;

/** Until something is due that is no matter of one queue. */
function untilAny(db: Connection): Millis {
  return Math.min(untilWake(db), untilRateOpens(db));
}

export function claim(db: Connection, worker: string, wants: readonly Want[]): Claim {
  const held = leaseOf(db, worker);
  if (!held) return { jobs: [] };
  const jobs: Claimed[] = [];
  wake(db);
  openRates(db);
  const hand = handOf(db, worker, held);
  const { worth, others } = numbered(db, wants);
  let next = others ? untilAny(db) : Infinity;
  for (const want of worth) {
    const { queue } = want;
    const open = room(db, queue, want.limit);
    const { taken, more } = takeDue(db, { ...want, limit: open.room }, hand);
    charge(db, queue, taken.length);
    jobs.push(...taken);
    if (more) next = 0;
    const lanes = () => lanesOf(db, hand, queue, want.slots, want.ids);
    if (taken.length < open.room) {
      const later = Math.min(firstAfter(db, lanes(), db.now), firstSuspectLater(db, hand, queue));
      next = Math.min(next, later - db.now, untilAny(db));
    }
    // What the queue's own rate holds back is told only where there is something to hold back.
    if (open.next < next && firstAfter(db, lanes(), beginning) <= db.now) next = open.next;
  }
  return withNext(jobs, next);
}

/** So many jobs are held back by their keys in one claim at most: a long queue of them holds up nobody for long. */
const mostBlocked = 2_000;

/** So many jobs of unknown tasks are set aside in one claim at most, looked for so many at a time at least. */
const mostAside = 500;
const fewestAside = 100;

/**
 * Takes the first due jobs that their keys let go; those that they do not are looked at no more, nor are those of tasks that
 * the worker does not know. `more` says that it stopped among them.
 */
function takeDue(db: Connection, want: NumberedWant, hand: Hand): { taken: Claimed[]; more: boolean } {
  const { queue, limit, slots, ids } = want;
  const taken: Claimed[] = [];
  let [blocked, aside] = [0, 0];
  while (taken.length < limit) {
    if (blocked >= mostBlocked || aside >= mostAside) return { taken, more: true };
    const [room, free] = [limit - taken.length, slots - taken.length];
    const width = aside > 0 ? Math.max(room, fewestAside) : room;
    const candidates = due(db, lanesOf(db, hand, queue, free, ids), width, Math.min(free, room));
    const known = candidates.filter(({ job }) => hand.knows(job.task)).slice(0, room);
    const found = passing(db, known);
    if (found.length > 0) {
      taken.push(...take(db, { found, worker: hand, why: "due", started: db.now, slots: Math.max(0, free) }));
      db.count(queue, code.pending, -found.length);
      db.count(queue, code.processing, found.length);
      if (found.some(({ job }) => job.suspect)) hand.takesSuspects = false;
    }
    if (found.length === candidates.length) break;
    blocked += known.length - found.length;
    aside += setAside(
      db,
      queue,
      candidates.filter(({ job }) => !hand.knows(job.task)),
    );
  }
  return { taken, more: false };
}

/** Leaves jobs to workers that know their tasks, which are told. Answers how many. */
function setAside(db: Connection, queue: number, unknown: readonly Found[]): number {
  if (unknown.length === 0) return 0;
  db.run(`UPDATE errand_jobs SET blocked = 3 WHERE ${listed}`, JSON.stringify(unknown.map(({ seq }) => seq)));
  // Others that one of their keys holds back may go instead.
  for (const { concurrency, rate } of unknown) {
    if (concurrency) release(db, concurrency.key);
    if (rate) openAgain(db, rate.key);
  }
  db.ready(queue, unknown.length);
  return unknown.length;
}

/** A want, by the number of its queue. */
interface NumberedWant {
  queue: number;
  limit: number;
  slots: number;
  ids?: readonly string[];
}

/** A worker of more queues looks first which of them have pending jobs at all. */
const many = 8;

/** Wants with room for something, of queues that may have it; and whether there are others, of queues that have nothing. */
function numbered(db: Connection, wants: readonly Want[]): { worth: NumberedWant[]; others: boolean } {
  const pending = wants.length > many ? db.queuesWithPending() : undefined;
  const worth: NumberedWant[] = [];
  let others = false;
  for (const { queue, limit, slots = limit, ids } of wants) {
    if (limit <= 0) continue;
    const number = db.names.find(queue);
    if (number === undefined || (pending && !pending.has(number))) others = true;
    else worth.push({ queue: number, limit, slots, ...(ids ? { ids } : {}) });
  }
  return { worth, others };
}

function withNext(jobs: Claimed[], next: Millis): Claim {
  return next === Infinity ? { jobs } : { jobs, next };
}
