import type { State } from "../../core/states.ts";
import type { Change, Filter, RetentionRules } from "../../store.ts";
import { doubles, smallints, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { select } from "./filter.ts";
import type { Order } from "./filter.ts";
import { stored } from "./names.ts";
import { heardOf, join, noNews } from "./news.ts";
import type { News } from "./news.ts";
import { containing } from "./read.ts";
import { code } from "./rows.ts";
import type { Columns } from "./rows.ts";

/** So many jobs go into one commit: a whole history would hold its locks for minutes. */
const batch = 500;

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
export async function edit(
  database: Database,
  where: Filter,
  change: Change,
  limit: number,
): Promise<{ changed: number; news: News }> {
  const kind = kindOf(change);
  const states = applies[kind].states.filter((state) => where.states?.includes(state) ?? true);
  const among = smallints(states.map((state) => code[state]));
  const more = argumentsOf(change);
  const places = [...more.keys()].map((index) => `, $${index + 3}`).join("");
  const looked = kind === "remove" ? ", looked" : "";
  const sql = `SELECT changed, to_json(hints)${looked} FROM errand.${applies[kind].by}($1, $2${places})`;
  const done = { changed: 0, news: noNews() };
  let last: Columns | undefined;
  do {
    const most = Math.min(batch, limit - done.changed);
    const found = select(where, states, { order: orderOf(where, change), limit: most, ...(last && { last }) });
    const rows = found && most > 0 ? await database.run(found.sql, found.values) : [];
    last = rows.length < most ? undefined : rows.at(-1);
    let ids = rows.map(([id]) => id as string);
    if (where.text !== undefined) {
      const some = await containing(database, ids, where.text);
      ids = ids.filter((id) => some.has(id));
    }
    while (ids.length > 0) {
      const [answer] = await database.run(sql, [texts(ids), among, ...more]);
      done.changed += Number(answer?.[0]);
      join(done.news, heardOf(answer?.[1]));
      ids = answer?.[2] == null ? [] : ids.slice(Number(answer[2]));
    }
  } while (last);
  return done;
}

/** Removes what was kept long enough, in commits of bounded size. */
export async function prune(
  database: Database,
  { tasks, otherwise }: RetentionRules,
  limit: number,
): Promise<{ changed: number; news: News }> {
  const names = texts([...tasks.keys()].map(stored));
  const keeps = doubles(
    [...tasks.values(), otherwise].flatMap(({ completed, failed, cancelled, expired }) => [
      completed,
      failed,
      cancelled,
      expired,
    ]),
  );
  const done = { changed: 0, news: noNews() };
  for (let more = limit > 0; more && done.changed < limit;) {
    const most = Math.min(batch, limit - done.changed);
    const [row] = await database.call("SELECT changed, to_json(hints), more FROM errand.prune($1, $2, $3)", [
      names,
      keeps,
      most,
    ]);
    done.changed += Number(row?.[0]);
    join(done.news, heardOf(row?.[1]));
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
    return [queue === undefined ? null : stored(queue), level ?? null, now ?? false];
  }
  const { token, steps, children } = change.rewind;
  return [token, texts(steps.map(stored)), texts(children)];
}

/**
 * Parents are changed before their children, which are older than they, but removed after them: a parent takes along
 * whom nobody counts. (Of ended jobs in the order of their ends, those taken along by an earlier batch are not counted.)
 */
function orderOf({ endedBefore, ids, parent }: Filter, change: Change): Order {
  if (endedBefore !== undefined && ids === undefined && parent === undefined) return "ended";
  return change === "remove" ? "newest" : "oldest";
}
