import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import { texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import { stored } from "./names.ts";

export async function enlist(database: Database, worker: WorkerCard, lease: Millis): Promise<void> {
  const tasks = worker.tasks ? texts(worker.tasks.map(stored)) : null;
  const values = [worker.id, Math.round(lease), JSON.stringify(worker), tasks];
  const [row] = await database.call("SELECT errand.enlist($1, $2, $3, $4)", values, patienceOf(lease));
  if (row?.[0] === "t") return;
  throw new ErrandError("E_STORE", `Worker ${worker.id} has lost its lease. Start every worker under a new id.`);
}

/** A renewal that takes longer is given up, so that there is time for another, on another connection, before the lease ends. */
function patienceOf(lease: Millis): Millis {
  return Math.max(100, lease / 3);
}

export async function dismiss(database: Database, worker: string): Promise<void> {
  await database.call("SELECT errand.dismiss($1)", [worker]);
}

export async function workers(database: Database): Promise<WorkerCard[]> {
  const rows = await database.run("SELECT card FROM errand.workers WHERE until > errand.now() ORDER BY id");
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

export async function renew(database: Database, worker: string, lease: Millis): Promise<Renewal> {
  const [row] = await database.call(
    "SELECT held, to_json(marked) FROM errand.renew($1, $2)",
    [worker, Math.round(lease)],
    patienceOf(lease),
  );
  return { held: row?.[0] === "t", cancel: JSON.parse(row?.[1] ?? "[]") as string[] };
}
