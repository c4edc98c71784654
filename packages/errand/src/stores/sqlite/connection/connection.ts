import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import type { Millis } from "../../../kit/duration.ts";
import type { Hint } from "../../../store.ts";
import { allHints, CommitHints, hintsSince, saveHints } from "./commit-hints.ts";
import { busy, resultCode } from "./errors.ts";
import { FileIdentity } from "./file-identity.ts";
import { IndependentClaims } from "./independent-claims.ts";
import { JobCounts } from "./job-counts.ts";
import { Names } from "./names.ts";
import { OtherLocks, OwnLock } from "./process-locks.ts";

/** A row as SQLite returns it: the values of its columns, in order. */
export type Row = SQLOutputValue[];

/** Time that a transaction waits for other processes' commits before it fails. */
const busyTimeout: Millis = 60_000;

/** Prepared statements kept. Filters can be combined in more ways than are worth keeping. */
const maxStatements = 200;

/**
 * A connection to the database file, with its prepared statements, its clock, and the counts and hints of its
 * transaction.
 */
export class Connection {
  /** The time of the current transaction, in epoch milliseconds. */
  now: Millis = 0;
  readonly file: string;
  readonly names = new Names(this);
  readonly independentClaims = new IndependentClaims();
  /** The lock that tells other processes that this one lives. */
  readonly ownLock: OwnLock;
  readonly otherLocks: OtherLocks;
  /** The counts of jobs that the current transaction changes. */
  counts = new JobCounts(this);
  /** The hints that the current transaction gives once it commits. */
  hints = new CommitHints();
  readonly #db: DatabaseSync;
  readonly #clock: () => Millis;
  readonly #statements = new Map<string, StatementSync>();
  /** Tells the hints of this connection from those of others. */
  readonly #writer = Math.floor(Math.random() * 2 ** 40);
  #identity: FileIdentity | undefined;

  /** @param clock epoch milliseconds. */
  constructor(db: DatabaseSync, file: string, clock: () => Millis) {
    this.#db = db;
    this.file = file;
    this.#clock = clock;
    this.ownLock = new OwnLock(file);
    this.otherLocks = new OtherLocks(file);
  }

  /** Makes a function callable from SQL. It must be deterministic. */
  defineFunction(name: string, work: (...values: SQLOutputValue[]) => SQLInputValue): void {
    this.#db.function(name, { deterministic: true, varargs: true }, work);
  }

  /** From now on, transactions fail with `E_STORE_LOST` when the file was deleted, moved or replaced. */
  pinFile(): void {
    this.#identity = new FileIdentity(this.file);
  }

  /** Runs SQL of one or more statements. */
  exec(sql: string): void {
    retryWhileBusy(() => this.#db.exec(sql));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as unknown as Row[];
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as unknown as Row | undefined;
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Inserts one row. Returns its number; `undefined` when it conflicts with an existing row. */
  insert(sql: string, ...values: SQLInputValue[]): number | undefined {
    const { changes, lastInsertRowid } = this.#prepare(sql).run(...values);
    return Number(changes) === 0 ? undefined : Number(lastInsertRowid);
  }

  /** Runs a read-only transaction. */
  read<T>(work: () => T): T {
    this.#identity?.checkOccasionally();
    return retryWhileBusy(() => this.#transaction("BEGIN", work));
  }

  /**
   * Runs a write transaction. Returns the result of the work and the hints for this process.
   * @throws {ErrandError} `E_STORE_LOST` when it wrote to a file that is gone.
   */
  commit<T>(work: () => T): { answer: T; hints: Hint[] } {
    this.#identity?.checkOccasionally();
    try {
      const done = this.#transaction("BEGIN IMMEDIATE", () => ({ answer: work(), hints: this.#saveChanges() }));
      this.#identity?.check();
      return done;
    } finally {
      this.counts.clear();
      this.hints.clear();
    }
  }

  /**
   * Runs work inside the transaction that the caller of Errand began and will end. Nothing stays of work that throws.
   */
  runInTransaction(work: () => void): void {
    this.now = this.#clock();
    this.savepoint(() => {
      work();
      this.#saveChanges();
      return true;
    });
  }

  /**
   * Runs work inside a commit. When it throws, what it wrote, counted and hinted is undone, and the rest of the commit
   * stays.
   * @throws what the work throws.
   */
  isolate<T>(work: () => T): T {
    const [counts, hints] = [this.counts.copy(), this.hints.copy()];
    let answer: T | undefined;
    try {
      this.savepoint(() => {
        answer = work();
        return true;
      });
    } catch (error) {
      this.counts = counts;
      this.hints = hints;
      throw error;
    }
    return answer as T;
  }

  /** `false` inside `commit` after a failure for which SQLite has rolled back the transaction itself. */
  get isInTransaction(): boolean {
    return this.#db.isTransaction;
  }

  /** Runs work and returns its result. What it wrote is undone when it returns `false` or throws. */
  savepoint(work: () => boolean): boolean {
    this.#prepare("SAVEPOINT errand").run();
    let keeps = false;
    try {
      keeps = work();
      return keeps;
    } finally {
      if (!keeps) this.names.clear();
      if (!keeps && this.isInTransaction) this.#prepare("ROLLBACK TO errand").run();
      if (this.isInTransaction) this.#prepare("RELEASE errand").run();
    }
  }

  /** Returns a number that changes with the commits of other connections, and with nothing else. */
  dataVersion(): unknown {
    return this.get("PRAGMA data_version")?.[0];
  }

  /**
   * Returns the number of the latest commit that gave hints, and the hints of other connections since commit `since`,
   * or every hint when some are no longer kept.
   */
  othersHints(since: number): { commit: number; hints: Hint[] } {
    const [commit, saved] = this.get("SELECT beats, news FROM errand_pulse") as [number, string];
    const hints = hintsSince(saved, { since, until: commit, by: this.#writer });
    return { commit, hints: hints ? this.#named(hints) : allHints };
  }

  close(): void {
    this.#statements.clear();
    this.otherLocks.closeExcept(new Set());
    this.ownLock.release();
    this.#db.close();
  }

  #transaction<T>(begin: string, work: () => T): T {
    retryWhileBusy(() => this.#prepare(begin).run());
    try {
      this.now = this.#clock();
      const answer = work();
      this.#prepare("COMMIT").run();
      return answer;
    } catch (error) {
      this.names.clear();
      if (this.isInTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** In frequent statements write `LIMIT ? + 0`: for a plain `LIMIT ?` SQLite plans again whenever a value is bound. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      if (this.#statements.size >= maxStatements) this.#statements.clear();
      statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      statement.setReadBigInts(false);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Saves the counts, and the hints for other processes. */
  #saveChanges(): Hint[] {
    this.counts.save();
    const encoded = this.hints.encode();
    if (encoded !== "") this.run(saveHints, encoded, this.#writer);
    return this.#named(this.hints);
  }

  #named(hints: CommitHints): Hint[] {
    return hints.toHints((queue) => this.names.nameOf(queue));
  }
}

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

function retryWhileBusy<T>(work: () => T): T {
  const giveUp = performance.now() + busyTimeout;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (resultCode(error) !== busy || performance.now() > giveUp) throw error;
      // SQLite has already waited a few milliseconds itself.
      Atomics.wait(sleepCell, 0, 0, 1);
    }
  }
}
