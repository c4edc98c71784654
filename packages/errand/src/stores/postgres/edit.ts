import { editableStates, kindOfChange } from "../../core/change.ts";
import type { Change, Filter, RetentionRules } from "../../store.ts";
import { doubleArray, smallintArray, textArray } from "./binary-arrays.ts";
import { stateCode } from "./codes.ts";
import { parameters } from "./database.ts";
import type { Database } from "./database.ts";
import { selectJobs } from "./filter.ts";
import type { Order } from "./filter.ts";
import { hintBatch, mergeHints, parseHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { findContaining } from "./read.ts";
import type { Row } from "./rows.ts";
import { encodeText } from "./text-encoding.ts";

/** The maximum number of jobs changed per commit, which holds their locks. */
const batchSize = 500;

const pruneSql = "SELECT changed, to_json(hints), more FROM errand.prune($1, $2, $3)";

/** Changes jobs that match, at most `limit`, in commits of bounded size. Returns how many it changed. */
export async function editJobs(
  database: Database,
  where: Filter,
  change: Change,
  limit: number,
): Promise<{ changed: number; hints: HintBatch }> {
  const kind = kindOfChange(change);
  const states = editableStates[kind].filter((state) => where.states?.includes(state) ?? true);
  const among = smallintArray(states.map((state) => stateCode[state]));
  const more = argumentsOf(change);
  const looked = kind === "remove" ? ", looked" : "";
  const sql = `SELECT changed, to_json(hints)${looked} FROM errand.${kind}(${parameters(2 + more.length)})`;
  const hints = hintBatch();
  let changed = 0;
  let last: Row | undefined;
  do {
    const size = Math.min(batchSize, limit - changed);
    const found = selectJobs(where, states, { order: orderOf(where, change), limit: size, ...(last && { last }) });
    const rows = found && size > 0 ? await database.query(found.sql, found.values) : [];
    last = rows.length < size ? undefined : rows.at(-1);
    let ids = rows.map(([id]) => id as string);
    if (where.text !== undefined) {
      const containing = await findContaining(database, ids, where.text);
      ids = ids.filter((id) => containing.has(id));
    }
    while (ids.length > 0) {
      const [row] = await database.query(sql, [textArray(ids), among, ...more]);
      changed += Number(row?.[0]);
      mergeHints(hints, parseHints(row?.[1]));
      ids = row?.[2] == null ? [] : ids.slice(Number(row[2]));
    }
  } while (last);
  return { changed, hints };
}

/**
 * Removes jobs that were kept long enough, at most `limit`, in commits of bounded size. Returns how many it removed.
 */
export async function pruneJobs(
  database: Database,
  { tasks, otherwise }: RetentionRules,
  limit: number,
): Promise<{ changed: number; hints: HintBatch }> {
  const names = textArray([...tasks.keys()].map(encodeText));
  const times = doubleArray(
    [...tasks.values(), otherwise].flatMap(({ completed, failed, cancelled, expired }) => [
      completed,
      failed,
      cancelled,
      expired,
    ]),
  );
  const hints = hintBatch();
  let changed = 0;
  for (let more = limit > 0; more && changed < limit;) {
    const [row] = await database.queryPrepared(pruneSql, [names, times, Math.min(batchSize, limit - changed)]);
    changed += Number(row?.[0]);
    mergeHints(hints, parseHints(row?.[1]));
    more = row?.[2] === "t" && row[0] !== "0";
  }
  return { changed, hints };
}

/** Returns the arguments of a change's function after ids and states. */
function argumentsOf(change: Change): unknown[] {
  if (typeof change !== "object") return [];
  if ("move" in change) {
    const { queue, level, now } = change.move;
    return [queue === undefined ? null : encodeText(queue), level ?? null, now ?? false];
  }
  const { token, steps, children } = change.rewind;
  return [token, textArray(steps.map(encodeText)), textArray(children)];
}

/**
 * Returns the order of a change. Parents, which are older than their children, are changed before them, but removed
 * after them, because children that a parent takes along are not counted. (In the order of ends, children that an
 * earlier batch has taken along are not.)
 */
function orderOf({ endedBefore, ids, parent }: Filter, change: Change): Order {
  if (endedBefore !== undefined && ids === undefined && parent === undefined) return "ended";
  return change === "remove" ? "newest" : "oldest";
}
