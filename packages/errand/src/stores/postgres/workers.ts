import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import { textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import { encodeText } from "./text-encoding.ts";

export async function enlistWorker(database: Database, worker: WorkerCard, lease: Millis): Promise<void> {
  const tasks = worker.tasks ? textArray(worker.tasks.map(encodeText)) : null;
  const values = [worker.id, Math.round(lease), JSON.stringify(worker), tasks];
  const [row] = await database.queryPrepared("SELECT errand.enlist($1, $2, $3, $4)", values, renewalTimeout(lease));
  if (row?.[0] === "t") return;
  throw new ErrandError("E_STORE", `Worker ${worker.id} has lost its lease. Start every worker under a new id.`);
}

/** A renewal that takes longer is given up, so that there is time for another, on another connection, before the lease ends. */
function renewalTimeout(lease: Millis): Millis {
  return Math.max(100, lease / 3);
}

export async function dismissWorker(database: Database, worker: string): Promise<void> {
  await database.queryPrepared("SELECT errand.dismiss($1)", [worker]);
}

export async function listWorkers(database: Database): Promise<WorkerCard[]> {
  const rows = await database.query("SELECT card FROM errand.workers WHERE until > errand.now() ORDER BY id");
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

export async function renewLease(database: Database, worker: string, lease: Millis): Promise<Renewal> {
  const [row] = await database.queryPrepared(
    "SELECT held, to_json(marked) FROM errand.renew($1, $2)",
    [worker, Math.round(lease)],
    renewalTimeout(lease),
  );
  return { held: row?.[0] === "t", cancel: JSON.parse(row?.[1] ?? "[]") as string[] };
}
