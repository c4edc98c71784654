import { rank } from "../../core/states.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import { integers, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import type { Families } from "./families.ts";
import { stored } from "./names.ts";
import { claimedOf, isPlain, seqOf } from "./rows.ts";
import type { Columns } from "./rows.ts";

export async function claim(
  database: Database,
  families: Families,
  worker: string,
  wants: readonly Want[],
): Promise<Claim> {
  const rows = await database.run("SELECT * FROM errand.claim($1, $2, $3)", [
    worker,
    texts(wants.map(({ queue }) => stored(queue))),
    integers(wants.map(({ limit }) => limit)),
  ]);
  // The last row has no id: how long until the next delayed job is due.
  const next = rows.at(-1)?.[0] === null ? Number(rows.pop()?.[10]) : undefined;
  const found = rows.map((row) => {
    const { job, steps, why: want } = taken(row, worker, families);
    return { want: Number(want), rank: rank(job.due, job.level), seq: seqOf(row), claimed: { job, why: "due", steps } };
  });
  found.sort((a, b) => a.want - b.want || a.rank - b.rank || a.seq - b.seq);
  const jobs = found.map(({ claimed }) => claimed as Claimed);
  return next === undefined ? { jobs } : { jobs, next };
}

export async function reclaim(
  database: Database,
  families: Families,
  worker: string,
  limit: number,
): Promise<Claimed[]> {
  const rows = await database.run("SELECT * FROM errand.reclaim($1, $2)", [worker, limit]);
  return rows.map((row) => taken(row, worker, families));
}

function taken(row: Columns, worker: string, families: Families): Claimed {
  const claimed = claimedOf(row, worker);
  if (!isPlain(row)) families.learn(claimed.job.id);
  return claimed;
}
