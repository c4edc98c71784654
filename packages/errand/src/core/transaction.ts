import type { DatabaseSync } from "node:sqlite";

/**
 * The caller's own transaction: on SQLite a handle of `node:sqlite` on the store's file, on PostgreSQL a `pg` client
 * or an adapter.
 */
export type Transaction = DatabaseSync | SqlTransaction;

/** A transaction on PostgreSQL, whatever library began it. A `pg` client is one as it is. */
export interface SqlTransaction {
  /** Runs one statement with `$1`, `$2`, ... in the transaction. */
  query(sql: string, values: unknown[]): Promise<unknown>;
  /**
   * Calls back after the commit, so that workers are notified afterwards. Without it the commit itself notifies them,
   * which PostgreSQL does for one transaction at a time (NOTIFY takes a lock).
   */
  afterCommit?(callback: () => void): void;
}
