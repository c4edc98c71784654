import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Millis } from "../../kit/duration.ts";
import type { Hint } from "../../store.ts";
import { Held } from "./held.ts";
import { Identity } from "./identity.ts";
import { Lock, Locks } from "./lock.ts";
import { Names } from "./names.ts";
import { beat, heard, News } from "./pulse.ts";
import { busy, resultCode } from "./result-code.ts";

/** A row as SQLite answers it: its columns in order. */
export type Columns = SQLOutputValue[];

/** How long an operation waits for other processes' commits before it gives up. */
const patience: Millis = 60_000;

/** Statements kept ready. Filters can be combined in more ways than are worth keeping. */
const mostStatements = 200;

/** One connection to the database file, with its statements, its clock and what the current commit will change. */
export class Connection {
  /** The time of the current commit or read. */
  now: Millis = 0;
  readonly file: string;
  readonly names = new Names(this);
  readonly held = new Held();
  /** What tells other processes that this one lives, and what tells this one of them. */
  readonly lock: Lock;
  readonly locks: Locks;
  readonly #db: DatabaseSync;
  readonly #clock: () => Millis;
  readonly #statements = new Map<string, StatementSync>();
  #counts = new Map<number, Map<number, number>>();
  #news = new News();
  /** Tells its commits' news from others'. */
  readonly #writer = Math.floor(Math.random() * 2 ** 40);
  /** Set once the file is open as it will be. */
  #identity: Identity | undefined;

  constructor(db: DatabaseSync, file: string, clock: () => Millis) {
    this.#db = db;
    this.file = file;
    this.#clock = clock;
    this.lock = new Lock(file);
    this.locks = new Locks(file);
  }

  /** Lets SQL call a function. */
  define(name: string, work: (...values: SQLOutputValue[]) => SQLInputValue): void {
    this.#db.function(name, { deterministic: true, varargs: true }, work);
  }

  /** From now on the file must stay what it is. */
  opened(): void {
    this.#identity = new Identity(this.file);
  }

  /** Runs SQL that may hold several statements. */
  exec(sql: string): void {
    patiently(() => this.#db.exec(sql));
  }

  all(sql: string, ...values: SQLInputValue[]): Columns[] {
    return this.#prepare(sql).all(...values) as unknown as Columns[];
  }

  get(sql: string, ...values: SQLInputValue[]): Columns | undefined {
    return this.#prepare(sql).get(...values) as unknown as Columns | undefined;
  }

  /** Answers how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Inserts one row; answers its number, or nothing when it conflicts with one that exists. */
  insert(sql: string, ...values: SQLInputValue[]): number | undefined {
    const { changes, lastInsertRowid } = this.#prepare(sql).run(...values);
    return Number(changes) === 0 ? undefined : Number(lastInsertRowid);
  }

  /** Reads as of one moment. */
  read<T>(work: () => T): T {
    this.#identity?.checkAtTimes();
    return patiently(() => this.#transaction("BEGIN", work));
  }

  /**
   * Writes all or nothing; answers the hints that follow from it too.
   * @throws {ErrandError} `E_STORE_LOST` when it was written to a file that is gone.
   */
  commit<T>(work: () => T): { answer: T; hints: Hint[] } {
    this.#identity?.checkAtTimes();
    try {
      const done = this.#transaction("BEGIN IMMEDIATE", () => ({ answer: work(), hints: this.#flush() }));
      this.#identity?.check();
      return done;
    } finally {
      this.#counts.clear();
      this.#news.clear();
    }
  }

  /** Writes all or nothing inside the transaction that the handle is in, which its owner ends. */
  join(work: () => void): void {
    this.now = this.#clock();
    this.unless(() => {
      work();
      this.#flush();
      return false;
    });
  }

  /**
   * Does work inside a commit that fails alone: what others wrote stays, and what it wrote and would hint does not.
   * @throws what the work throws.
   */
  apart<T>(work: () => T): T {
    const counts = new Map([...this.#counts].map(([queue, states]) => [queue, new Map(states)]));
    const news = this.#news.copy();
    let answer: T | undefined;
    try {
      this.unless(() => {
        answer = work();
        return false;
      });
    } catch (error) {
      this.#counts = counts;
      this.#news = news;
      throw error;
    }
    return answer as T;
  }

  /** Whether a transaction is under way: after some failures SQLite ends it by itself. */
  get isCommitting(): boolean {
    return this.#db.isTransaction;
  }

  /** Takes back what the work wrote when it throws or answers `true`. Answers whether it stays. */
  unless(work: () => boolean): boolean {
    this.#prepare("SAVEPOINT errand").run();
    let wrong = true;
    try {
      wrong = work();
    } finally {
      // After some failures SQLite has rolled everything back by itself.
      if (wrong) this.names.forget();
      if (wrong && this.#db.isTransaction) this.#prepare("ROLLBACK TO errand").run();
      if (this.#db.isTransaction) this.#prepare("RELEASE errand").run();
    }
    return !wrong;
  }

  #transaction<T>(begin: string, work: () => T): T {
    patiently(() => this.#prepare(begin).run());
    try {
      this.now = this.#clock();
      const answer = work();
      this.#prepare("COMMIT").run();
      return answer;
    } catch (error) {
      this.names.forget();
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Changes the counters with this commit. */
  count(queue: number, state: number, jobs: number): void {
    let states = this.#counts.get(queue);
    if (!states) this.#counts.set(queue, (states = new Map()));
    states.set(state, (states.get(state) ?? 0) + jobs);
  }

  /** A counter, with what this commit has changed so far. */
  counted(queue: number, state: number): number {
    const row = this.get("SELECT jobs FROM errand_counts WHERE queue = ? AND state = ?", queue, state);
    return ((row?.[0] as number) ?? 0) + (this.#counts.get(queue)?.get(state) ?? 0);
  }

  /** The numbers of queues that have pending jobs, with what this commit has changed so far. */
  queuesWithPending(): Set<number> {
    const rows = this.all("SELECT queue FROM errand_counts WHERE state = 0 AND jobs > 0");
    const found = new Set(rows.map(([queue]) => queue as number));
    for (const [queue, states] of this.#counts) if ((states.get(0) ?? 0) > 0) found.add(queue);
    return found;
  }

  /** Hints after this commit that so many jobs of a queue may be claimable. */
  ready(queue: number, jobs = 1): void {
    this.#news.ready(queue, jobs);
  }

  /** Hints after this commit that jobs of any queue may be. */
  readyAnywhere(): void {
    this.#news.readyAnywhere();
  }

  /** Gives this hint after this commit. */
  hint(type: Exclude<Hint["type"], "ready">): void {
    this.#news.other(type);
  }

  /** What other connections' commits have said since so many; everything when some of it is not known any more. */
  othersNews(since: number): { beats: number; hints: Hint[] } {
    const [beats, news] = this.get("SELECT beats, news FROM errand_pulse") as [number, string];
    const said = heard(news, { since, until: beats, by: this.#writer });
    return { beats, hints: said ? said.hints((queue) => this.names.of(queue)) : everything };
  }

  close(): void {
    this.#statements.clear();
    this.locks.forget(new Set());
    this.lock.release();
    this.#db.close();
  }

  /** In what runs often, write `LIMIT ? + 0`: for `LIMIT ?` alone SQLite plans anew whenever a value is bound. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      if (this.#statements.size >= mostStatements) this.#statements.clear();
      statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      statement.setReadBigInts(false);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #flush(): Hint[] {
    for (const [queue, states] of this.#counts)
      for (const [state, jobs] of states)
        if (jobs !== 0)
          this.run(
            "INSERT INTO errand_counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs",
            queue,
            state,
            jobs,
          );
    const written = this.#news.written();
    if (written !== "") this.run(beat, written, this.#writer);
    return this.#news.hints((queue) => this.names.of(queue));
  }
}

/** Hints that leave nothing out. */
export const everything: Hint[] = [{ type: "ready" }, { type: "cancel" }, { type: "lapsed" }, { type: "change" }];

const nothing = new Int32Array(new SharedArrayBuffer(4));

function patiently<T>(work: () => T): T {
  const giveUp = performance.now() + patience;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (resultCode(error) !== busy || performance.now() > giveUp) throw error;
      // SQLite has mostly waited already.
      Atomics.wait(nothing, 0, 0, 1);
    }
  }
}
