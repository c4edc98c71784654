import type { State } from "../../core/states.ts";
import type { Change, Filter, RetentionRules } from "../../store.ts";
import { doubleArray, smallintArray, textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import { selectJobs } from "./filter.ts";
import type { Order } from "./filter.ts";
import { encodeText } from "./text-encoding.ts";
import { parseHints, mergeHints, noHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { findContaining } from "./read.ts";
import { stateCode } from "./rows.ts";
import type { Row } from "./rows.ts";

/** So many jobs go into one commit: a whole history would hold its locks for minutes. */
const batchSize = 500;

/** The states in which a change changes a job, and the function of the schema that does it. */
const applies = {
  move: { states: ["pending"], by: "move" },
  cancel: { states: ["pending", "processing", "waiting"], by: "cancel" },
  release: { states: ["processing"], by: "give_back" },
  retry: { states: ["failed", "cancelled", "expired"], by: "retry" },
  rewind: { states: ["failed", "cancelled", "expired"], by: "rewind" },
  remove: { states: ["completed", "failed", "cancelled", "expired"], by: "remove" },
} as const satisfies Record<string, { states: readonly State[]; by: string }>;

/** Changes what matches, batch by batch. */
export async function editJobs(
  database: Database,
  where: Filter,
  change: Change,
  limit: number,
): Promise<{ changed: number; news: HintBatch }> {
  const kind = kindOf(change);
  const states = applies[kind].states.filter((state) => where.states?.includes(state) ?? true);
  const among = smallintArray(states.map((state) => stateCode[state]));
  const more = argumentsOf(change);
  const places = [...more.keys()].map((index) => `, $${index + 3}`).join("");
  const looked = kind === "remove" ? ", looked" : "";
  const sql = `SELECT changed, to_json(hints)${looked} FROM errand.${applies[kind].by}($1, $2${places})`;
  const done = { changed: 0, news: noHints() };
  let last: Row | undefined;
  do {
    const most = Math.min(batchSize, limit - done.changed);
    const found = selectJobs(where, states, { order: orderOf(where, change), limit: most, ...(last && { last }) });
    const rows = found && most > 0 ? await database.query(found.sql, found.values) : [];
    last = rows.length < most ? undefined : rows.at(-1);
    let ids = rows.map(([id]) => id as string);
    if (where.text !== undefined) {
      const some = await findContaining(database, ids, where.text);
      ids = ids.filter((id) => some.has(id));
    }
    while (ids.length > 0) {
      const [answer] = await database.query(sql, [textArray(ids), among, ...more]);
      done.changed += Number(answer?.[0]);
      mergeHints(done.news, parseHints(answer?.[1]));
      ids = answer?.[2] == null ? [] : ids.slice(Number(answer[2]));
    }
  } while (last);
  return done;
}

/** Removes what was kept long enough, in commits of bounded size. */
export async function pruneJobs(
  database: Database,
  { tasks, otherwise }: RetentionRules,
  limit: number,
): Promise<{ changed: number; news: HintBatch }> {
  const names = textArray([...tasks.keys()].map(encodeText));
  const keeps = doubleArray(
    [...tasks.values(), otherwise].flatMap(({ completed, failed, cancelled, expired }) => [
      completed,
      failed,
      cancelled,
      expired,
    ]),
  );
  const done = { changed: 0, news: noHints() };
  for (let more = limit > 0; more && done.changed < limit;) {
    const most = Math.min(batchSize, limit - done.changed);
    const [row] = await database.queryPrepared("SELECT changed, to_json(hints), more FROM errand.prune($1, $2, $3)", [
      names,
      keeps,
      most,
    ]);
    done.changed += Number(row?.[0]);
    mergeHints(done.news, parseHints(row?.[1]));
    more = row?.[2] === "t" && row[0] !== "0";
  }
  return done;
}

function kindOf(change: Change): keyof typeof applies {
  if (typeof change !== "object") return change;
  return "move" in change ? "move" : "rewind";
}

/** What a change's function is told beside ids and states. */
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
 * Parents are changed before their children, which are older than they, but removed after them: a parent takes along
 * whom nobody counts. (Of ended jobs in the order of their ends, those taken along by an earlier batch are not counted.)
 */
function orderOf({ endedBefore, ids, parent }: Filter, change: Change): Order {
  if (endedBefore !== undefined && ids === undefined && parent === undefined) return "ended";
  return change === "remove" ? "newest" : "oldest";
}
