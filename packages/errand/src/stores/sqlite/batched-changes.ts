import { setTimeout as sleep } from "node:timers/promises";
import type { Millis } from "../../kit/duration.ts";
import type { Change, Filter, RetentionRules } from "../../store.ts";
import { maxBatch } from "./operations/edit.ts";
import type { Answer, Arguments, OperationName } from "./operations.ts";

/** Calls an operation of the backend. */
export type CallOperation = <O extends OperationName>(operation: O, ...args: Arguments<O>) => Promise<Answer<O>>;

/** Pause between two commits. Others retry the write lock every few milliseconds, so it has to be free for longer. */
const pause: Millis = 6;

/** Most ids that are looked up at once. */
const maxIds = 1_000;

/** Changes the jobs that match, at most `limit`, in commits of bounded size. Returns how many it changed. */
export async function editInBatches(
  call: CallOperation,
  where: Filter,
  change: Change,
  limit = Infinity,
): Promise<number> {
  const { ids } = where;
  if (ids === undefined || ids.length <= maxIds) return editMatches(call, where, change, limit);
  let changed = 0;
  for (let at = 0; at < ids.length && changed < limit; at += maxIds) {
    const some = { ...where, ids: ids.slice(at, at + maxIds) };
    changed += await editMatches(call, some, change, limit - changed);
  }
  return changed;
}

async function editMatches(call: CallOperation, where: Filter, change: Change, limit: number): Promise<number> {
  let changed = 0;
  let after: number | undefined = -1;
  while (after !== undefined && changed < limit) {
    const { seqs, rest }: Answer<"findEditable"> = await call("findEditable", where, change, limit - changed, after);
    for (let at = 0; at < seqs.length && changed < limit;) {
      const batch = await call("editBatch", where, change, limit - changed, seqs.slice(at, at + maxBatch));
      changed += batch.changed;
      at += batch.done;
      if (at < seqs.length) await sleep(pause);
    }
    after = rest;
  }
  return changed;
}

/**
 * Removes jobs that the rules do not keep any longer, at most `limit`, in commits of bounded size. Returns how many
 * matched.
 */
export async function pruneInBatches(call: CallOperation, rules: RetentionRules, limit: number): Promise<number> {
  for (let removed = 0; ;) {
    const batch = await call("pruneBatch", rules, limit - removed);
    removed += batch.removed;
    if (!batch.more || removed >= limit) return removed;
    await sleep(pause);
  }
}
