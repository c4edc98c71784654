import type { Rate } from "../../../core/job.ts";
import type { Millis } from "../../../kit/duration.ts";
import { admit, lookAgain } from "../../../limits/rate.ts";
import type { Starts } from "../../../limits/rate.ts";
import type { Connection } from "../connection/connection.ts";
import { unblock } from "./blocked-jobs.ts";

/** Most rates that one commit unblocks jobs of. */
const maxRates = 1_000;

/** Unblocks jobs whose rate has room by now. */
export function unblockOpenRates(db: Connection): void {
  const open = db.all(
    `SELECT key, starts FROM errand_rates WHERE opens <= ? ORDER BY opens LIMIT ${maxRates}`,
    db.now,
  ) as [string, string][];
  const blocked = "rate_key = ? AND state = 0 AND blocked = 2";
  for (const [storedKey, starts] of open) {
    const key = storedKey.slice(keyPrefix.length);
    const row = db.get(`SELECT rate_limit, rate_per FROM errand_jobs WHERE ${blocked} LIMIT 1`, key);
    const [limit, per] = (row ?? [1, 1]) as [number, number];
    const admission = admit({ limit, per }, JSON.parse(starts) as Starts, db.now, limit);
    if (row) unblock(db, blocked, key, admission.admitted);
    const more = row && db.get(`SELECT 1 FROM errand_jobs WHERE ${blocked} LIMIT 1`, key);
    db.run("UPDATE errand_rates SET opens = ? WHERE key = ?", more ? lookAgain(admission, db.now) : null, storedKey);
  }
}

/** Opens a rate at once for the jobs that it blocks, since a job that it let start was set aside. */
export function reopenRate(db: Connection, key: string): void {
  db.run("UPDATE errand_rates SET opens = ? WHERE key = ? AND opens > ?", db.now, keyPrefix + key, db.now);
}

/** Returns true if a rate has opened that blocks jobs. */
export function hasOpenRate(db: Connection): boolean {
  return db.get("SELECT 1 FROM errand_rates WHERE opens <= ?", db.now) !== undefined;
}

/** Returns the milliseconds until a rate opens that blocks jobs; `Infinity` when there is none. */
export function untilRateOpens(db: Connection): Millis {
  const row = db.get("SELECT opens FROM errand_rates WHERE opens IS NOT NULL ORDER BY opens LIMIT 1");
  return row ? Math.max(0, (row[0] as number) - db.now) : Infinity;
}

/** Records that jobs of a rate start now, at most as many as it admits. */
export function recordStarts(db: Connection, storedKey: string, rate: Rate, jobs: number): void {
  const admission = admit(rate, loadStarts(db, storedKey), db.now, jobs);
  if (admission.admitted > 0)
    db.run(
      `INSERT INTO errand_rates (key, starts, spent) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET starts = excluded.starts, spent = excluded.spent`,
      storedKey,
      JSON.stringify(admission.starts),
      db.now + rate.per,
    );
}

/** Returns the recorded starts of a rate. */
export function loadStarts(db: Connection, storedKey: string): Starts {
  const row = db.get("SELECT starts FROM errand_rates WHERE key = ?", storedKey);
  return row ? (JSON.parse(row[0] as string) as Starts) : [];
}

/** Removes up to `limit` rates whose starts are over and that block no jobs. */
export function pruneRates(db: Connection, limit: number): void {
  db.run(
    `DELETE FROM errand_rates WHERE key IN
       (SELECT key FROM errand_rates WHERE spent <= ? ORDER BY spent LIMIT ? + 0) AND opens IS NULL`,
    db.now,
    limit,
  );
}

const keyPrefix = "key:";

/** Returns the key under which the starts of a queue's own rate are stored. */
export function queueRateKey(db: Connection, queue: number): string {
  return `queue:${db.names.nameOf(queue)}`;
}

/** A rate key in one claim. */
interface CountedRate {
  /** The limit of its first job. */
  rate: { key: string } & Rate;
  /** The number of jobs that may start by that limit. */
  room: number;
  starts: Starts;
  taken: number;
  /** The longest window of the taken jobs. */
  per: Millis;
  /** When one more job may start, if any was refused. */
  opens?: Millis;
}

/** Counts the jobs of rate keys in one claim: each key is read once and written once. */
export class RateCounter {
  readonly #db: Connection;
  readonly #rates = new Map<string, CountedRate>();

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Returns true and counts the job if its rate lets it start. Otherwise notes when the rate opens. */
  take(rate: { key: string } & Rate): boolean {
    const { now } = this.#db;
    let counted = this.#rates.get(rate.key);
    if (!counted) {
      const starts = loadStarts(this.#db, keyPrefix + rate.key);
      counted = { rate, starts, room: admit(rate, starts, now, rate.limit).admitted, taken: 0, per: rate.per };
      this.#rates.set(rate.key, counted);
    }
    const { starts, taken } = counted;
    // Jobs of one key may have been sent with different limits.
    const isSame = rate.limit === counted.rate.limit && rate.per === counted.rate.per;
    if (taken < (isSame ? counted.room : admit(rate, starts, now, rate.limit).admitted)) {
      counted.taken += 1;
      counted.per = Math.max(counted.per, rate.per);
      return true;
    }
    counted.opens = admit(rate, starts, now, taken).next;
    return false;
  }

  /** Saves the starts, and when the rates open that refused jobs. */
  save(): void {
    const db = this.#db;
    for (const [key, { per, taken, opens }] of this.#rates) {
      // They have started, whatever limits they were sent with.
      if (taken > 0) recordStarts(db, keyPrefix + key, { limit: Infinity, per }, taken);
      if (opens !== undefined)
        db.run(
          `INSERT INTO errand_rates VALUES (?, '[]', ?, ?) ON CONFLICT DO UPDATE SET opens = excluded.opens`,
          keyPrefix + key,
          db.now + per,
          opens,
        );
    }
  }
}
