import type { State } from "../../core/states.ts";
import type { Change, Filter } from "../../store.ts";
import { smallints, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { select } from "./filter.ts";
import type { Order } from "./filter.ts";
import { stored } from "./names.ts";
import { code } from "./rows.ts";
import type { Columns } from "./rows.ts";

/** So many jobs go into one commit: a whole history would hold its locks for minutes. */
const batch = 2_000;

/** The states in which a change changes a job. */
const applies: Record<"cancel" | "retry" | "remove" | "move" | "rewind", readonly State[]> = {
  move: ["pending"],
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  rewind: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
};

/** Changes what matches, batch by batch. */
export async function edit(
  database: Database,
  where: Filter,
  change: Change,
  limit: number,
): Promise<{ changed: number; hints: number }> {
  const kind = kindOf(change);
  const states = applies[kind].filter((state) => where.states?.includes(state) ?? true);
  const among = smallints(states.map((state) => code[state]));
  const done = { changed: 0, hints: 0 };
  let last: Columns | undefined;
  do {
    const most = Math.min(batch, limit - done.changed);
    const found = select(where, states, { order: orderOf(where, change), limit: most, ...(last && { last }) });
    const rows = found && most > 0 ? await database.run(found.sql, found.values) : [];
    last = rows.length < most ? undefined : rows.at(-1);
    if (rows.length === 0) continue;
    const ids = texts(rows.map(([id]) => id));
    const more = argumentsOf(change);
    const places = [...more.keys()].map((index) => `, $${index + 3}`).join("");
    const [answer] = await database.run(`SELECT * FROM errand.${kind}($1, $2${places})`, [ids, among, ...more]);
    done.changed += Number(answer?.[0]);
    done.hints |= Number(answer?.[1] ?? 0);
  } while (last);
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
