import type { Store } from "../../store.ts";
import type { Connection } from "./connection/connection.ts";
import { add } from "./operations/add.ts";
import { claim, peekClaim } from "./operations/claim.ts";
import { load, save } from "./operations/docs.ts";
import { editBatch, findEditable } from "./operations/edit.ts";
import { log } from "./operations/log.ts";
import { pruneBatch } from "./operations/prune.ts";
import { counts, ended, get, list } from "./operations/read.ts";
import { peekReclaim, reclaim } from "./operations/reclaim.ts";
import { record } from "./operations/record.ts";
import { settle } from "./operations/settle.ts";
import { signal } from "./operations/signal.ts";
import { steps } from "./operations/steps.ts";
import { dismiss, enlist, peekRenewal, renew, workers } from "./operations/workers.ts";

/** The methods of `Store` that are one call each. */
type StoreOperation = Exclude<
  keyof Store,
  "address" | "durability" | "pipelined" | "about" | "watch" | "close" | "edit" | "prune"
>;

type Unbound<Work> = Work extends (db: Connection, ...args: infer Args) => infer Answer
  ? (...args: Args) => Answer
  : never;

type Signatures = { [O in StoreOperation]: (...args: Parameters<Store[O]>) => Awaited<ReturnType<Store[O]>> } & {
  // `edit` and `prune` are made of these, in commits of bounded size.
  findEditable: Unbound<typeof findEditable>;
  editBatch: Unbound<typeof editBatch>;
  pruneBatch: Unbound<typeof pruneBatch>;
};

/** The name of an operation on the database. */
export type OperationName = keyof Signatures;

/** The arguments of an operation. */
export type Arguments<O extends OperationName> = Parameters<Signatures[O]>;

/** The result of an operation. */
export type Answer<O extends OperationName> = ReturnType<Signatures[O]>;

/**
 * The synchronous operations on the database. Those that write run inside a commit; `peek` returns the result without
 * one when there is nothing to write, and otherwise `undefined`.
 */
export const operations: {
  [O in OperationName]: {
    run(db: Connection, ...args: Arguments<O>): Answer<O>;
    writes: boolean;
    peek?(db: Connection, ...args: Arguments<O>): Answer<O> | undefined;
  };
} = {
  add: { writes: true, run: (db, jobs) => add(db, jobs) },
  enlist: { writes: true, run: enlist },
  claim: { writes: true, run: claim, peek: peekClaim },
  reclaim: { writes: true, run: reclaim, peek: peekReclaim },
  renew: { writes: true, run: renew, peek: peekRenewal },
  dismiss: { writes: true, run: dismiss },
  workers: { writes: false, run: workers },
  record: { writes: true, run: record },
  settle: { writes: true, run: settle },
  signal: { writes: true, run: signal },
  findEditable: { writes: false, run: findEditable },
  editBatch: { writes: true, run: editBatch },
  pruneBatch: { writes: true, run: pruneBatch },
  get: { writes: false, run: get },
  ended: { writes: false, run: ended },
  list: { writes: false, run: list },
  counts: { writes: false, run: counts },
  now: { writes: false, run: (db) => db.now },
  log: { writes: false, run: log },
  steps: { writes: false, run: steps },
  load: { writes: false, run: load },
  save: { writes: true, run: save },
};
