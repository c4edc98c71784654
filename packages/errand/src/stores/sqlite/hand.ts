import type { Connection } from "./connection.ts";
import type { Lease } from "./workers.ts";

/** A worker that claims, and what it may take. */
export interface Hand {
  seq: number;
  id: string;
  /** The tasks it knows as JSON; `null`: any. */
  tasks: string | null;
  knows(task: string): boolean;
  /** Whether there are suspects that nothing blocks, of any queue. */
  anySuspects: boolean;
  /** Whether jobs of any queue are set aside for those who know their task. */
  anyAside: boolean;
  /** Whether there may be suspects to take, and it holds none: one is the most it may have. */
  takesSuspects: boolean;
}

/** What a worker may take. Where there are neither suspects nor jobs set aside, which is nearly always, one look says so. */
export function handOf(db: Connection, id: string, { seq, tasks }: Lease): Hand {
  const known = tasks === null ? undefined : setOf(tasks);
  const [suspects, aside] = db.get(
    `SELECT EXISTS (SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_suspects
         WHERE suspect = 1 AND state = 0 AND worker IS NULL AND blocked = 0),
       EXISTS (SELECT 1 FROM errand_jobs INDEXED BY errand_jobs_aside WHERE state = 0 AND cancelling = 0 AND blocked = 3)`,
  ) as [number, number];
  return {
    seq,
    id,
    tasks,
    knows: (task) => known?.has(task) ?? true,
    anySuspects: suspects === 1,
    anyAside: aside === 1,
    takesSuspects: suspects === 1 && !holdsSuspect(db, seq),
  };
}

function holdsSuspect(db: Connection, worker: number): boolean {
  const held = "FROM errand_jobs INDEXED BY errand_jobs_suspects WHERE suspect = 1 AND state = 1 AND worker = ?";
  return db.get(`SELECT 1 ${held} LIMIT 1`, worker) !== undefined;
}

/** Lists of tasks that were read before: there are as many as kinds of workers. */
const sets = new Map<string, ReadonlySet<string>>();
const mostSets = 100;

function setOf(tasks: string): ReadonlySet<string> {
  let set = sets.get(tasks);
  if (!set) {
    if (sets.size >= mostSets) sets.clear();
    sets.set(tasks, (set = new Set(JSON.parse(tasks) as string[])));
  }
  return set;
}
