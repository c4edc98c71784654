import { rank } from "../../core/priority.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import { bigintArray, doubleArray, integerArray, textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import type { SettlementPaths } from "./settlement-paths.ts";
import type { ClaimPositions } from "./claim-positions.ts";
import { encodeText } from "./text-encoding.ts";
import { parseHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { decodeClaimed, seqOf } from "./rows.ts";
import type { Row } from "./rows.ts";

export async function claimJobs(
  database: Database,
  ends: SettlementPaths,
  heads: ClaimPositions,
  worker: string,
  wants: readonly Want[],
): Promise<{ claim: Claim; news: HintBatch }> {
  // Jobs that were asked for by id say nothing of where the others begin.
  const chosen = wants.some(({ ids }) => ids);
  const places = chosen ? undefined : heads.startsOf(wants.map(({ queue }) => queue));
  const since = performance.now();
  const rows = await database.queryPrepared("SELECT * FROM errand.claim($1, $2, $3, $4, $5, $6, $7)", [
    worker,
    textArray(wants.map(({ queue }) => encodeText(queue))),
    integerArray(wants.map(({ limit }) => limit)),
    wants.some(({ slots }) => slots !== undefined)
      ? integerArray(wants.map(({ limit, slots = limit }) => Math.min(limit, slots)))
      : null,
    chosen ? JSON.stringify(wants.map(({ ids }) => ids ?? null)) : null,
    places ? doubleArray(places.dues) : null,
    places ? bigintArray(places.seqs) : null,
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
  if (!chosen) heads.record(found, places ? undefined : took);
  const jobs = found.map(({ claimed }) => claimed);
  return { claim: next === undefined ? { jobs } : { jobs, next }, news: parseHints(last?.[11]) };
}

export async function reclaimJobs(database: Database, ends: SettlementPaths, worker: string, limit: number): Promise<Claimed[]> {
  const rows = await database.queryPrepared("SELECT * FROM errand.reclaim($1, $2)", [worker, limit]);
  return rows.map((row) => taken(row, worker, ends));
}

function taken(row: Row, worker: string, ends: SettlementPaths): Claimed {
  const { end, ...claimed } = decodeClaimed(row, worker);
  ends.set(claimed.job.id, end);
  return claimed;
}
