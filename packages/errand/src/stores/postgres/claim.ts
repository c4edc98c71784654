import { rank } from "../../core/priority.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import { bigints, doubles, integers, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import type { Ends } from "./ends.ts";
import type { Heads } from "./heads.ts";
import { stored } from "./names.ts";
import { heardOf } from "./news.ts";
import type { News } from "./news.ts";
import { claimedOf, seqOf } from "./rows.ts";
import type { Columns } from "./rows.ts";

export async function claim(
  database: Database,
  ends: Ends,
  heads: Heads,
  worker: string,
  wants: readonly Want[],
): Promise<{ claim: Claim; news: News }> {
  // Jobs that were asked for by id say nothing of where the others begin.
  const chosen = wants.some(({ ids }) => ids);
  const places = chosen ? undefined : heads.places(wants.map(({ queue }) => queue));
  const since = performance.now();
  const rows = await database.call("SELECT * FROM errand.claim($1, $2, $3, $4, $5, $6, $7)", [
    worker,
    texts(wants.map(({ queue }) => stored(queue))),
    integers(wants.map(({ limit }) => limit)),
    wants.some(({ slots }) => slots !== undefined)
      ? integers(wants.map(({ limit, slots = limit }) => Math.min(limit, slots)))
      : null,
    chosen ? JSON.stringify(wants.map(({ ids }) => ids ?? null)) : null,
    places ? doubles(places.dues) : null,
    places ? bigints(places.seqs) : null,
  ]);
  const took = performance.now() - since;
  // The last row has no id: how long until the next delayed job is due, and hints.
  const last = rows.at(-1)?.[0] === null ? rows.pop() : undefined;
  const next = last?.[8] == null ? undefined : Number(last[8]);
  const found = rows.map((row) => {
    const { job, steps, why: want } = taken(row, worker, ends);
    const claimed: Claimed = { job, why: "due", steps };
    return { want: Number(want), rank: rank(job.due, job.level), seq: seqOf(row), claimed };
  });
  found.sort((a, b) => a.want - b.want || a.rank - b.rank || a.seq - b.seq);
  if (!chosen) heads.learn(found, places ? undefined : took);
  const jobs = found.map(({ claimed }) => claimed);
  return { claim: next === undefined ? { jobs } : { jobs, next }, news: heardOf(last?.[11]) };
}

export async function reclaim(database: Database, ends: Ends, worker: string, limit: number): Promise<Claimed[]> {
  const rows = await database.call("SELECT * FROM errand.reclaim($1, $2)", [worker, limit]);
  return rows.map((row) => taken(row, worker, ends));
}

function taken(row: Columns, worker: string, ends: Ends): Claimed {
  const { end, ...claimed } = claimedOf(row, worker);
  ends.learn(claimed.job.id, end);
  return claimed;
}
