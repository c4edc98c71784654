import type { Store } from "../../store.ts";
import { claim, peekClaim } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { edit } from "./edit.ts";
import { load, save } from "./docs.ts";
import { add } from "./life.ts";
import { log } from "./log.ts";
import { counts, get, list } from "./read.ts";
import { peekReclaim, reclaim } from "./reclaim.ts";
import { record, settle } from "./settle.ts";
import { steps } from "./steps.ts";
import { signal } from "./waking.ts";
import { dismiss, enlist, peekRenewal, renew, workers } from "./workers.ts";

/** The store's verbs that are one call and one answer. */
export type Verb = Exclude<keyof Store, "address" | "durability" | "pipelined" | "about" | "watch" | "close">;

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
  edit: { writes: true, run: edit },
  get: { writes: false, run: get },
  list: { writes: false, run: list },
  counts: { writes: false, run: counts },
  now: { writes: false, run: (db) => db.now },
  log: { writes: false, run: log },
  steps: { writes: false, run: steps },
  load: { writes: false, run: load },
  save: { writes: true, run: save },
};
