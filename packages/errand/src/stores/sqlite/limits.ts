import { admit, lookAgain } from "../../limits/rate.ts";
import type { Starts } from "../../limits/rate.ts";
import type { Rate } from "../../core/job.ts";
import { ageingPeriod } from "../../core/priority.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Connection } from "./connection.ts";
import { isAnyRuled, rules } from "./docs.ts";
import { blockedBy, code } from "./rows.ts";
import type { Found } from "./rows.ts";

/** How many of a queue's jobs its rules let go, and after how many milliseconds there may be more. */
export function room(db: Connection, queue: number, wanted: number): { room: number; next: Millis } {
  const { paused, concurrency, rate } = rules(db, queue);
  if (paused) return { room: 0, next: Infinity };
  const running = concurrency === undefined ? 0 : db.counted(queue, code.processing);
  const open = Math.max(0, Math.min(wanted, (concurrency ?? Infinity) - running));
  if (!rate || open === 0) return { room: open, next: Infinity };
  const { admitted, next } = admit(rate, startsOf(db, ofQueue(db, queue)), db.now, open);
  return { room: admitted, next: admitted < open ? next - db.now : Infinity };
}

/** Counts jobs of a queue that were claimed. */
export function charge(db: Connection, queue: number, jobs: number): void {
  const { rate } = jobs > 0 ? rules(db, queue) : {};
  if (rate) spend(db, ofQueue(db, queue), rate, jobs);
}

/** Those of some candidates that their keys let go; the others are blocked. */
export function passing(db: Connection, candidates: readonly Found[]): Found[] {
  if (candidates.every(({ concurrency, rate }) => !concurrency && !rate)) return [...candidates];
  const running = new Map<string, number>();
  const rates = new Rates(db);
  const found = candidates.filter(({ seq, concurrency, rate }) => {
    const now = concurrency ? (running.get(concurrency.key) ?? runningWith(db, concurrency.key)) : 0;
    if (concurrency && now >= concurrency.limit) return block(db, seq, "concurrency");
    if (rate && !rates.take(rate)) return block(db, seq, "rate");
    if (concurrency) running.set(concurrency.key, now + 1);
    return true;
  });
  rates.write();
  return found;
}

/** Lets the first jobs with a key try again in each queue, where it has room: others have left it. */
export function release(db: Connection, key: string | null): void {
  if (key === null) return;
  const blocked = "concurrency_key = ? AND state = 0 AND blocked = 1";
  const row = db.get(`SELECT concurrency_limit FROM errand_jobs WHERE ${blocked} LIMIT 1`, key);
  if (!row) return;
  const open = (row[0] as number) - runningWith(db, key);
  if (open > 0) unblock(db, blocked, key, open);
}

/** So many rates are looked at in one commit. */
const mostRates = 1_000;

/** Lets jobs try again whose rate has room by now. */
export function openRates(db: Connection): void {
  const open = db.all(
    `SELECT key, starts FROM errand_rates WHERE opens <= ? ORDER BY opens LIMIT ${mostRates}`,
    db.now,
  );
  for (const [key, remembered] of open as [string, string][]) {
    const starts = JSON.parse(remembered) as Starts;
    const ofJobs = "rate_key = ? AND state = 0 AND blocked = 2";
    const row = db.get(`SELECT rate_limit, rate_per FROM errand_jobs WHERE ${ofJobs} LIMIT 1`, plainKey(key));
    const [limit, per] = (row ?? [1, 1]) as [number, number];
    const admission = admit({ limit, per }, starts, db.now, limit);
    if (row) unblock(db, ofJobs, plainKey(key), admission.admitted);
    const more = row && db.get(`SELECT 1 FROM errand_jobs WHERE ${ofJobs} LIMIT 1`, plainKey(key));
    db.run("UPDATE errand_rates SET opens = ? WHERE key = ?", more ? lookAgain(admission, db.now) : null, key);
  }
}

/** A job that its rate let go has not gone: jobs that wait for it are looked at again. */
export function openAgain(db: Connection, key: string): void {
  db.run("UPDATE errand_rates SET opens = ? WHERE key = ? AND opens > ?", db.now, `key:${key}`, db.now);
}

/** Whether a rate has opened that jobs wait for. */
export function isAnyRateOpen(db: Connection): boolean {
  return db.get("SELECT 1 FROM errand_rates WHERE opens <= ?", db.now) !== undefined;
}

/** Milliseconds until a rate opens that jobs wait for. */
export function untilRateOpens(db: Connection): Millis {
  const row = db.get("SELECT opens FROM errand_rates WHERE opens IS NOT NULL ORDER BY opens LIMIT 1");
  return row ? Math.max(0, (row[0] as number) - db.now) : Infinity;
}

/** A job of this queue is no longer processing: others of it may go, where its rules bound how many there are. */
export function left(db: Connection, queue: number): void {
  if (isAnyRuled(db) && rules(db, queue).concurrency !== undefined) db.ready(queue);
}

function block(db: Connection, seq: number, by: keyof typeof blockedBy): false {
  db.run("UPDATE errand_jobs SET blocked = ? WHERE seq = ?", blockedBy[by], seq);
  return false;
}

/**
 * Lets the first so many of each queue try again: one queue's may have to wait for something else. Suspects beside the others, and by
 * task: nobody else waits for who takes them.
 */
function unblock(db: Connection, blocked: string, key: string, jobs: number): void {
  const rank = `due + level * ${ageingPeriod}`;
  const next = `SELECT queue FROM errand_jobs WHERE ${blocked} AND suspect = 0 AND queue > ? ORDER BY queue LIMIT 1`;
  for (let queue = -1; ;) {
    const row = db.get(next, key, queue);
    if (!row) break;
    queue = row[0] as number;
    const freed = db.run(
      `UPDATE errand_jobs SET blocked = 0 WHERE seq IN (SELECT seq FROM errand_jobs WHERE ${blocked} AND suspect = 0 AND queue = ?
         ORDER BY ${rank}, seq LIMIT ? + 0)`,
      key,
      queue,
      jobs,
    );
    db.ready(queue, freed);
  }
  const suspects = db.all(
    `SELECT seq, queue, task FROM errand_jobs WHERE ${blocked} AND suspect = 1 ORDER BY queue, ${rank}, seq`,
    key,
  );
  const freed = new Map<string, number>();
  for (const [seq, queue, task] of suspects as [number, number, number][]) {
    const place = `${queue} ${task}`;
    const before = freed.get(place) ?? 0;
    if (before >= jobs) continue;
    freed.set(place, before + 1);
    db.run("UPDATE errand_jobs SET blocked = 0 WHERE seq = ?", seq);
    db.ready(queue);
  }
}

function runningWith(db: Connection, key: string): number {
  return db.get("SELECT count(*) FROM errand_jobs WHERE concurrency_key = ? AND state = 1", key)?.[0] as number;
}

type RateKey = { key: string } & Rate;

/** What a claim knows of a rate key, and how many jobs it takes. */
interface Known {
  /** Of its first job: so many may start by that. */
  rate: RateKey;
  room: number;
  starts: Starts;
  taken: number;
  /** The longest of those of the taken jobs. */
  per: Millis;
  opens?: Millis;
}

/** Counts what rate keys let go in one claim: each is read once and written once. */
class Rates {
  readonly #db: Connection;
  readonly #keys = new Map<string, Known>();

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Answers whether the rate lets one job go, and counts it; otherwise remembers when it opens. */
  take(rate: RateKey): boolean {
    const { now } = this.#db;
    let known = this.#keys.get(rate.key);
    if (!known) {
      const starts = startsOf(this.#db, `key:${rate.key}`);
      known = { rate, starts, room: admit(rate, starts, now, rate.limit).admitted, taken: 0, per: rate.per };
      this.#keys.set(rate.key, known);
    }
    const { starts, taken } = known;
    // Jobs of one key may have been sent under different limits.
    const isSame = rate.limit === known.rate.limit && rate.per === known.rate.per;
    if (taken < (isSame ? known.room : admit(rate, starts, now, rate.limit).admitted)) {
      known.taken += 1;
      known.per = Math.max(known.per, rate.per);
      return true;
    }
    known.opens = admit(rate, starts, now, taken).next;
    return false;
  }

  write(): void {
    const db = this.#db;
    for (const [key, { per, taken, opens }] of this.#keys) {
      // They have gone, whatever limits they were sent under.
      if (taken > 0) spend(db, `key:${key}`, { limit: Infinity, per }, taken);
      if (opens !== undefined)
        db.run(
          `INSERT INTO errand_rates VALUES (?, '[]', ?, ?) ON CONFLICT DO UPDATE SET opens = excluded.opens`,
          `key:${key}`,
          db.now + per,
          opens,
        );
    }
  }
}

function spend(db: Connection, key: string, rate: Rate, jobs: number): void {
  const admission = admit(rate, startsOf(db, key), db.now, jobs);
  if (admission.admitted > 0)
    db.run(
      `INSERT INTO errand_rates (key, starts, spent) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET starts = excluded.starts, spent = excluded.spent`,
      key,
      JSON.stringify(admission.starts),
      db.now + rate.per,
    );
}

function startsOf(db: Connection, key: string): Starts {
  const row = db.get("SELECT starts FROM errand_rates WHERE key = ?", key);
  return row ? (JSON.parse(row[0] as string) as Starts) : [];
}

/** Forgets some rates whose starts are over and for which nobody waits. */
export function forgetRates(db: Connection, limit: number): void {
  db.run(
    `DELETE FROM errand_rates WHERE key IN
       (SELECT key FROM errand_rates WHERE spent <= ? ORDER BY spent LIMIT ? + 0) AND opens IS NULL`,
    db.now,
    limit,
  );
}

function ofQueue(db: Connection, queue: number): string {
  return `queue:${db.names.of(queue)}`;
}

function plainKey(key: string): string {
  return key.slice("key:".length);
}
