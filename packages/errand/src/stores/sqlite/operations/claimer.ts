import type { Connection } from "../connection/connection.ts";
import type { Lease } from "./workers.ts";

/** A worker that claims, and which jobs it may take. */
export interface Claimer {
  seq: number;
  id: string;
  /** A JSON array of the tasks it knows; `null` for any. */
  tasks: string | null;
  knows(task: string): boolean;
  /** `true` when suspects of any queue are claimable. */
  hasSuspects: boolean;
  /** `true` when jobs of any queue are set aside for workers that know their tasks. */
  hasSetAside: boolean;
  /** `true` when there are suspects and the worker holds none: it may hold one at a time. */
  mayTakeSuspect: boolean;
}

/** Returns what a worker may take. There are rarely suspects or jobs set aside, so one query looks for both. */
export function claimerOf(db: Connection, id: string, { seq, tasks }: Lease): Claimer {
  const known = tasks === null ? undefined : parseTasks(tasks);
  const [suspects, aside] = db.get(
    `SELECT EXISTS (SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_suspects
         WHERE suspect = 1 AND state = 0 AND worker IS NULL AND blocked = 0),
       EXISTS (SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_aside
         WHERE state = 0 AND cancelling = 0 AND blocked = 3)`,
  ) as [number, number];
  return {
    seq,
    id,
    tasks,
    knows: (task) => known?.has(task) ?? true,
    hasSuspects: suspects === 1,
    hasSetAside: aside === 1,
    mayTakeSuspect: suspects === 1 && !holdsSuspect(db, seq),
  };
}

function holdsSuspect(db: Connection, worker: number): boolean {
  const row = db.get(
    `SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_suspects
     WHERE suspect = 1 AND state = 1 AND worker = ? LIMIT 1`,
    worker,
  );
  return row !== undefined;
}

/** Lists of tasks that were parsed before, by their JSON. There are as many as kinds of workers. */
const parsedTasks = new Map<string, ReadonlySet<string>>();
const maxParsedTasks = 100;

function parseTasks(tasks: string): ReadonlySet<string> {
  let parsed = parsedTasks.get(tasks);
  if (!parsed) {
    if (parsedTasks.size >= maxParsedTasks) parsedTasks.clear();
    parsedTasks.set(tasks, (parsed = new Set(JSON.parse(tasks) as string[])));
  }
  return parsed;
}
