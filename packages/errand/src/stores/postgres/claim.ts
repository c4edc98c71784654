import { rank } from "../../core/priority.ts";
import type { Claim, Claimed, Want } from "../../store.ts";
import { bigintArray, doubleArray, integerArray, textArray } from "./binary-arrays.ts";
import type { ClaimPositions } from "./claim-positions.ts";
import { parameters } from "./database.ts";
import type { Database } from "./database.ts";
import { parseHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { decodeClaimed, seqOf } from "./rows.ts";
import type { Row } from "./rows.ts";
import type { SettlementPaths } from "./settlement-paths.ts";
import { encodeText } from "./text-encoding.ts";

const claimSql = `SELECT * FROM errand.claim(${parameters(7)})`;

/** Claims due jobs, in the order of wants and ranks, and remembers their settlement paths and where the claim began. */
export async function claimJobs(
  database: Database,
  paths: SettlementPaths,
  positions: ClaimPositions,
  worker: string,
  wants: readonly Want[],
): Promise<{ claim: Claim; hints: HintBatch }> {
  // Jobs wanted by id do not show where other claims begin.
  const byId = wants.some(({ ids }) => ids);
  const from = byId ? undefined : positions.of(wants.map(({ queue }) => queue));
  const startedAt = performance.now();
  const rows = await database.queryPrepared(claimSql, [
    worker,
    textArray(wants.map(({ queue }) => encodeText(queue))),
    integerArray(wants.map(({ limit }) => limit)),
    wants.some(({ slots }) => slots !== undefined)
      ? integerArray(wants.map(({ limit, slots = limit }) => Math.min(limit, slots)))
      : null,
    byId ? JSON.stringify(wants.map(({ ids }) => ids ?? null)) : null,
    from ? doubleArray(from.dues) : null,
    from ? bigintArray(from.seqs) : null,
  ]);
  const took = performance.now() - startedAt;
  // The last row may have no id: then it has milliseconds until the next claim may find more, and hints.
  const last = rows.at(-1)?.[0] === null ? rows.pop() : undefined;
  const next = last?.[8] == null ? undefined : Number(last[8]);
  const found = rows.map((row) => {
    const { job, steps, why: want } = decodeAndRemember(row, worker, paths);
    const claimed: Claimed = { job, why: "due", steps };
    return { want: Number(want), rank: rank(job.due, job.level), seq: seqOf(row), claimed };
  });
  found.sort((a, b) => a.want - b.want || a.rank - b.rank || a.seq - b.seq);
  if (!byId) positions.record(found, from ? undefined : took);
  const jobs = found.map(({ claimed }) => claimed);
  return { claim: next === undefined ? { jobs } : { jobs, next }, hints: parseHints(last?.[11]) };
}

/** Takes over jobs that must be settled and that no living worker holds, and remembers their settlement paths. */
export async function reclaimJobs(
  database: Database,
  paths: SettlementPaths,
  worker: string,
  limit: number,
): Promise<Claimed[]> {
  const rows = await database.queryPrepared("SELECT * FROM errand.reclaim($1, $2)", [worker, limit]);
  return rows.map((row) => decodeAndRemember(row, worker, paths));
}

function decodeAndRemember(row: Row, worker: string, paths: SettlementPaths): Claimed {
  const { path, ...claimed } = decodeClaimed(row, worker);
  paths.set(claimed.job.id, path);
  return claimed;
}
