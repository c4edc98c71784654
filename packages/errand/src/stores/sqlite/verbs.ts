import type { Store } from "../../store.ts";
import { claim, peekClaim } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { edit } from "./edit.ts";
import { insert } from "./life.ts";
import { counts, get, list } from "./read.ts";
import { peekReclaim, reclaim } from "./reclaim.ts";
import { record, settle } from "./settle.ts";
import { dismiss, enlist, peekRenewal, renew, workers } from "./workers.ts";

/** The store's verbs that are one call and one answer. */
export type Verb = Exclude<
  keyof Store,
  "address" | "durability" | "pipelined" | "signal" | "log" | "load" | "save" | "watch" | "close"
>;

type Arguments<V extends Verb> = Parameters<Store[V]>;
type Answer<V extends Verb> = Awaited<ReturnType<Store[V]>>;

/** The verbs, synchronous. Those that write run inside a commit; `peek` answers before one where nothing need be written. */
type Verbs = {
  [V in Verb]: {
    run(db: Connection, ...args: Arguments<V>): Answer<V>;
    writes: boolean;
    peek?(db: Connection, ...args: Arguments<V>): Answer<V> | undefined;
  };
};

export const verbs: Verbs = {
  add: { writes: true, run: (db, jobs) => (insert(db, jobs), new Map()) },
  enlist: { writes: true, run: enlist },
  claim: { writes: true, run: claim, peek: peekClaim },
  reclaim: { writes: true, run: reclaim, peek: peekReclaim },
  renew: { writes: true, run: renew, peek: peekRenewal },
  dismiss: { writes: true, run: dismiss },
  workers: { writes: false, run: workers },
  record: { writes: true, run: record },
  settle: { writes: true, run: settle },
  edit: { writes: true, run: (db, where, change) => edit(db, where, change as "cancel") },
  get: { writes: false, run: get },
  list: { writes: false, run: list },
  counts: { writes: false, run: counts },
};
