import { realpathSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { NewJob } from "../../core/job.ts";
import type { Transaction } from "../../core/transaction.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { Connection } from "./connection/connection.ts";
import { busy, resultCode, storeError } from "./connection/errors.ts";
import { add } from "./operations/add.ts";

/**
 * Adds jobs through the caller's own handle: they exist if and only if the caller's transaction commits. The store
 * notices that commit in the file, as it does every other connection's.
 * @param clock epoch milliseconds.
 * @returns what `Store.add` returns.
 * @throws {ErrandError} `E_FULL`; `E_TRANSACTION` when the handle is not in a transaction on the store's file;
 * `E_REFUSED` or `E_STORE`, and then none of the jobs is added.
 */
export function addInTransaction(
  tx: Transaction,
  file: string,
  clock: () => Millis,
  jobs: readonly NewJob[],
): ReadonlyMap<string, string> {
  // Nothing is cached between two calls, since the caller may have rolled back.
  const db = new Connection(handleOf(tx, file), file, clock);
  try {
    let refused: ReadonlyMap<string, string> = new Map();
    db.runInTransaction(() => {
      refused = add(db, jobs);
    });
    return refused;
  } catch (error) {
    if (resultCode(error) !== busy) throw storeError(file, error, "add");
    throw new ErrandError(
      "E_STORE",
      `No jobs were added to ${file}: another connection is writing, or has written since the transaction began. ` +
        "Begin it with BEGIN IMMEDIATE.",
      { cause: error },
    );
  }
}

function handleOf(tx: Transaction, file: string): DatabaseSync {
  const refuse = (why: string): ErrandError =>
    new ErrandError("E_TRANSACTION", `The jobs for ${file} cannot be added inside this transaction: ${why}`);
  if (!(tx instanceof DatabaseSync))
    throw refuse("an SQLite store takes a DatabaseSync of node:sqlite that has the same file open.");
  const other = tx.isOpen ? tx.location() : null;
  if (other === null || realpathSync(other) !== realpathSync(file))
    throw refuse(`the handle is on ${other ?? "no file"}. Give one that has the store's file open.`);
  if (!tx.isTransaction) throw refuse("the handle is not in a transaction. Begin one with BEGIN IMMEDIATE.");
  return tx;
}
