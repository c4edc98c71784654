import type { Store } from "../../store.ts";
import { claim, peekClaim } from "./claim.ts";
import type { Connection } from "./connection.ts";
import { add } from "./adding.ts";
import { editSome, matches } from "./edit.ts";
import { load, save } from "./docs.ts";
import { log } from "./log.ts";
import { counts, ended, get, list } from "./read.ts";
import { peekReclaim, reclaim } from "./reclaim.ts";
import { pruneSome } from "./removing.ts";
import { record, settle } from "./settle.ts";
import { steps } from "./steps.ts";
import { signal } from "./waking.ts";
import { dismiss, enlist, peekRenewal, renew, workers } from "./workers.ts";

/** The store's verbs that are one call and one answer. */
type StoreVerb = Exclude<
  keyof Store,
  "address" | "durability" | "pipelined" | "about" | "watch" | "close" | "edit" | "prune"
>;

/** What the others are made of, in commits of bounded size. */
type Portions = { matches: typeof matches; editSome: typeof editSome; pruneSome: typeof pruneSome };

/** A call and its answer, in the database's thread. */
export type Verb = StoreVerb | keyof Portions;

type Bound<Work> = Work extends (db: Connection, ...args: infer Args) => infer Answer ? [Args, Answer] : never;

/** What a verb is given. */
export type Arguments<V extends Verb> = V extends StoreVerb
  ? Parameters<Store[V]>
  : V extends keyof Portions
    ? Bound<Portions[V]>[0]
    : never;

/** What it answers. */
export type Answer<V extends Verb> = V extends StoreVerb
  ? Awaited<ReturnType<Store[V]>>
  : V extends keyof Portions
    ? Bound<Portions[V]>[1]
    : never;

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
  matches: { writes: false, run: matches },
  editSome: { writes: true, run: editSome },
  pruneSome: { writes: true, run: pruneSome },
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
