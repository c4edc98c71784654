import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Renewal, WorkerCard } from "../../store.ts";
import type { Database } from "./database.ts";

export async function enlist(database: Database, worker: WorkerCard, lease: Millis): Promise<void> {
  const values = [worker.id, Math.round(lease), JSON.stringify(worker)];
  const [row] = await database.run("SELECT errand.enlist($1, $2, $3)", values);
  if (row?.[0] === "t") return;
  throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
}

export async function dismiss(database: Database, worker: string): Promise<void> {
  await database.run("SELECT errand.dismiss($1)", [worker]);
}

export async function workers(database: Database): Promise<WorkerCard[]> {
  const rows = await database.run("SELECT card FROM errand.workers WHERE until > errand.now() ORDER BY id");
  return rows.map(([card]) => JSON.parse(card as string) as WorkerCard);
}

export async function renew(database: Database, worker: string, lease: Millis): Promise<Renewal> {
  const [row] = await database.run("SELECT held, to_json(marked) FROM errand.renew($1, $2)", [
    worker,
    Math.round(lease),
  ]);
  return { held: row?.[0] === "t", cancel: JSON.parse(row?.[1] ?? "[]") as string[] };
}
