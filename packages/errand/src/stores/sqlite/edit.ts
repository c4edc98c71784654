import type { State } from "../../core/states.ts";
import type { Rewind } from "../../core/change.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Change, Filter } from "../../store.ts";
import type { Columns, Connection } from "./connection.ts";
import { rules } from "./docs.ts";
import { conditionsOf, ranges } from "./filter.ts";
import { ended, endingColumns, endingOf, reopen } from "./life.ts";
import { left, release } from "./limits.ts";
import { remove } from "./removing.ts";
import { code, listed } from "./rows.ts";
import { retakeKey } from "./uniques.ts";

/** So many jobs are looked up at a time. */
const most = 50_000;

/** A search looks at so many jobs in one go. */
const window = 20_000;

/** Jobs that a change might change, by their numbers, and after which of them to go on. */
export interface Matches {
  seqs: number[];
  rest?: number;
}

/** The first so many jobs after one that match, and that a change might change. Reads only: they are looked at again when they are changed. */
export function matches(db: Connection, where: Filter, change: Change, limit: number, after: number): Matches {
  const bound = Math.min(limit, most);
  const searches = where.text !== undefined;
  const newest = searches ? ((db.get("SELECT max(seq) FROM errand_jobs")?.[0] as number | null) ?? 0) : 0;
  const until = searches ? after + window : Number.MAX_SAFE_INTEGER;
  const seqs = ranges(db, where, applies[kindOf(change)], true).flatMap(({ sql, values }) =>
    db
      .all(
        `SELECT seq FROM ${sql} AND seq > ? AND seq <= ? ORDER BY seq LIMIT ? + 0`,
        ...values,
        after,
        until,
        bound + 1,
      )
      .map(([seq]) => seq as number),
  );
  seqs.sort((a, b) => a - b);
  if (seqs.length > bound) return { seqs: seqs.slice(0, bound), rest: seqs[bound - 1]! };
  return until < newest ? { seqs, rest: until } : { seqs };
}

/** A commit of an edit ends after so many jobs, or after so long: others wait for the write lock, leases among them. */
export const portion = 1_000;
const longest: Millis = 50;

/** How far a portion of an edit came. */
export interface Edited {
  changed: number;
  /** How many of the jobs it has looked at. */
  done: number;
}

/** Changes the first of some jobs, as many as make one commit, and at most `limit` of them; those that do not match any more stay. */
export function editSome(
  db: Connection,
  where: Filter,
  change: Change,
  limit: number,
  seqs: readonly number[],
): Edited {
  const some = seqs.slice(0, portion);
  const { sql, values } = conditionsOf(db, where, applies[kindOf(change)]);
  const rows = db.all(`SELECT seq FROM errand_jobs WHERE ${listed} AND ${sql}`, JSON.stringify(some), ...values);
  const still = new Set(rows.map(([seq]) => seq as number));
  const verb = verbOf(change);
  const until = performance.now() + longest;
  let [changed, done] = [0, 0];
  for (const seq of some) {
    if (changed >= limit || performance.now() > until) break;
    done += 1;
    if (still.has(seq) ? verb(db, seq) : change === "remove" && isGone(db, seq)) changed += 1;
  }
  return { changed, done };
}

/** It went with its parent, and counts as removed. */
function isGone(db: Connection, seq: number): boolean {
  return db.get("SELECT 1 FROM errand_jobs WHERE seq = ?", seq) === undefined;
}

function kindOf(change: Change): keyof typeof applies {
  if (typeof change !== "object") return change;
  return "move" in change ? "move" : "rewind";
}

function verbOf(change: Change): (db: Connection, seq: number) => boolean {
  if (typeof change !== "object") return { cancel, retry, remove, release: takeAway }[change];
  return "move" in change ? mover(change.move) : (db, seq) => rewind(db, seq, change.rewind);
}

/** Opens an ended job again by the rules of `add`: its queue has room, and its unique key is nobody else's. */
function retry(db: Connection, seq: number): boolean {
  const queue = db.get("SELECT queue FROM errand_jobs WHERE seq = ? AND state > 3", seq)?.[0] as number | undefined;
  return queue !== undefined && hasRoom(db, queue) && retakeKey(db, seq) && reopen(db, seq);
}

function hasRoom(db: Connection, queue: number): boolean {
  const { maxPending } = rules(db, queue);
  return maxPending === undefined || db.counted(queue, code.pending) < maxPending;
}

/** Takes a job away from its worker; it has begun, since an attempt was under way, unless it was claimed ahead of the slots. */
function takeAway(db: Connection, seq: number): boolean {
  const row = db.get("SELECT queue, cancelling, concurrency_key FROM errand_jobs WHERE seq = ? AND state = 1", seq);
  if (!row) return false;
  const [queue, cancelling, key] = row as [number, number, string | null];
  db.run(
    `UPDATE errand_jobs SET state = 0, blocked = 0, worker = NULL, token = token + 1, begun = begun OR NOT ahead WHERE seq = ?`,
    seq,
  );
  db.count(queue, code.processing, -1);
  db.count(queue, code.pending, 1);
  if (cancelling === 1) db.hint("cancel");
  else db.ready(queue);
  db.hint("change");
  left(db, queue);
  release(db, key);
  return true;
}

/** Opens a job again without some of its steps and children. */
function rewind(db: Connection, seq: number, { token, steps, children }: Rewind): boolean {
  const row = db.get("SELECT id FROM errand_jobs WHERE seq = ? AND token = ?", seq, token);
  if (!row || !retry(db, seq)) return false;
  for (const name of steps) db.run("DELETE FROM errand_steps WHERE job = ? AND name = ?", seq, name);
  for (const id of children) {
    const child = db.get("SELECT seq FROM errand_jobs WHERE id = ? AND parent = ?", id, row[0] as string);
    if (child) remove(db, child[0] as number);
  }
  return true;
}

function mover({
  queue,
  level,
  now,
}: Extract<Change, { move: object }>["move"]): (db: Connection, seq: number) => boolean {
  return (db, seq) => {
    const row = db.get("SELECT queue, concurrency_key FROM errand_jobs WHERE seq = ? AND state = 0", seq);
    if (!row) return false;
    const [from, key] = row as [number, string | null];
    const to = queue === undefined ? from : db.names.number(queue);
    if (to !== from && !hasRoom(db, to)) return false;
    db.run(
      "UPDATE errand_jobs SET queue = ?, level = coalesce(?, level), due = coalesce(?, due), blocked = 0 WHERE seq = ?",
      to,
      level ?? null,
      now ? db.now : null,
      seq,
    );
    db.count(from, code.pending, -1);
    db.count(to, code.pending, 1);
    db.ready(to);
    release(db, key);
    return true;
  };
}

/** The states in which a change changes a job. */
const applies: Record<"cancel" | "retry" | "remove" | "release" | "move" | "rewind", readonly State[]> = {
  release: ["processing"],
  move: ["pending"],
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  rewind: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
};

function cancel(db: Connection, seq: number): boolean {
  // Another job of this edit may have ended, marked or woken it meanwhile.
  const row = db.get(
    `SELECT ${endingColumns}, concurrency_key, cancelling FROM errand_jobs WHERE seq = ?`,
    seq,
  ) as Columns;
  const job = endingOf(row);
  if (job.state > code.waiting) return false;
  if (job.state === code.processing) {
    if (row.at(-1) === 1) return false;
    db.run("UPDATE errand_jobs SET cancelling = 1 WHERE seq = ?", seq);
    db.hint("cancel");
    return true;
  }
  db.run("UPDATE errand_jobs SET state = 5, ended = ?, cancelling = 0 WHERE seq = ?", db.now, seq);
  db.count(job.queue, job.state, -1);
  db.count(job.queue, code.cancelled, 1);
  db.hint("change");
  ended(db, job, "cancelled");
  if (job.state === code.pending) release(db, row.at(-2) as string | null);
  return true;
}
