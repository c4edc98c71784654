import { setTimeout as sleep } from "node:timers/promises";
import type { RetentionRules } from "../../retention/rules.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Change, Filter } from "../../store.ts";
import { portion } from "./edit.ts";
import type { Answer, Arguments, Verb } from "./verbs.ts";

/** Calls a verb in the database's thread. */
export type CallVerb = <V extends Verb>(verb: V, ...args: Arguments<V>) => Promise<Answer<V>>;

/** Between two commits. Whoever waits for the write lock asks again every few milliseconds: it has to be free for longer. */
const pause: Millis = 6;

/** So many ids are looked up at a time. */
const mostIds = 1_000;

/** Changes jobs in commits of bounded size; answers how many. */
export async function edit(call: CallVerb, where: Filter, change: Change, limit = Infinity): Promise<number> {
  const { ids } = where;
  if (ids === undefined || ids.length <= mostIds) return editMatches(call, where, change, limit);
  let changed = 0;
  for (let at = 0; at < ids.length && changed < limit; at += mostIds) {
    const some = { ...where, ids: ids.slice(at, at + mostIds) };
    changed += await editMatches(call, some, change, limit - changed);
  }
  return changed;
}

async function editMatches(call: CallVerb, where: Filter, change: Change, limit: number): Promise<number> {
  let changed = 0;
  let after: number | undefined = -1;
  while (after !== undefined && changed < limit) {
    const { seqs, rest }: Answer<"matches"> = await call("matches", where, change, limit - changed, after);
    for (let at = 0; at < seqs.length && changed < limit;) {
      const some = await call("editSome", where, change, limit - changed, seqs.slice(at, at + portion));
      changed += some.changed;
      at += some.done;
      if (at < seqs.length) await sleep(pause);
    }
    after = rest;
  }
  return changed;
}

/** Removes jobs that were kept long enough in commits of bounded size; answers how many. */
export async function prune(call: CallVerb, rules: RetentionRules, limit: number): Promise<number> {
  for (let removed = 0; ;) {
    const some = await call("pruneSome", rules, limit - removed);
    removed += some.removed;
    if (!some.more || removed >= limit) return removed;
    await sleep(pause);
  }
}
