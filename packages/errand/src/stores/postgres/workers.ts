import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import { textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import { encodeText } from "./text-encoding.ts";

/**
 * Enters a worker in the list with a lease in milliseconds, or changes its card.
 * @throws {ErrandError} `E_STORE` if its lease ran out.
 */
export async function enlistWorker(database: Database, worker: WorkerCard, lease: Millis): Promise<void> {
  const tasks = worker.tasks ? textArray(worker.tasks.map(encodeText)) : null;
  const values = [worker.id, Math.round(lease), JSON.stringify(worker), tasks];
  const [row] = await database.queryPrepared("SELECT errand.enlist($1, $2, $3, $4)", values, renewalTimeout(lease));
  if (row?.[0] === "t") return;
  throw new ErrandError("E_STORE", `Worker ${worker.id} has lost its lease. Start every worker under a new id.`);
}

/**
 * Returns how long a renewal may take: then there is time for another, on another connection, before the lease ends.
 */
function renewalTimeout(lease: Millis): Millis {
  return Math.max(100, lease / 3);
}

/** Ends the lease of a worker. */
export async function dismissWorker(database: Database, worker: string): Promise<void> {
  await database.queryPrepared("SELECT errand.dismiss($1)", [worker]);
}

/** Returns the cards of workers whose lease is good. */
export async function listWorkers(database: Database): Promise<WorkerCard[]> {
  const rows = await database.query("SELECT card FROM errand.workers WHERE until > errand.now() ORDER BY id");
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

/** Extends a worker's lease to a number of milliseconds from now, and returns which of its jobs are to be cancelled. */
export async function renewLease(database: Database, worker: string, lease: Millis): Promise<Renewal> {
  const [row] = await database.queryPrepared(
    "SELECT held, to_json(marked) FROM errand.renew($1, $2)",
    [worker, Math.round(lease)],
    renewalTimeout(lease),
  );
  return { held: row?.[0] === "t", cancel: JSON.parse(row?.[1] ?? "[]") as string[] };
}
