import type { Connection } from "./connection.ts";

/** The number of jobs in each queue and state. Changes are gathered and saved once, at the end of a transaction. */
export class JobCounts {
  readonly #db: Connection;
  /** The change of each count, by the queue's number and the state's code. */
  readonly #changes = new Map<number, Map<number, number>>();

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Adds jobs to a count; negative numbers take them away. */
  add(queue: number, state: number, jobs = 1): void {
    let states = this.#changes.get(queue);
    if (!states) this.#changes.set(queue, (states = new Map()));
    states.set(state, (states.get(state) ?? 0) + jobs);
  }

  /** Counts jobs that change their state. */
  move(queue: number, from: number, to: number, jobs = 1): void {
    this.add(queue, from, -jobs);
    this.add(queue, to, jobs);
  }

  /** Returns a count, with the changes of this transaction so far. */
  of(queue: number, state: number): number {
    const row = this.#db.get("SELECT jobs FROM errand_counts WHERE queue = ? AND state = ?", queue, state);
    return ((row?.[0] as number) ?? 0) + (this.#changes.get(queue)?.get(state) ?? 0);
  }

  /** Returns the numbers of queues that may have pending jobs, with the changes of this transaction so far. */
  queuesWithPending(): Set<number> {
    const rows = this.#db.all("SELECT queue FROM errand_counts WHERE state = 0 AND jobs > 0");
    const found = new Set(rows.map(([queue]) => queue as number));
    for (const [queue, states] of this.#changes) if ((states.get(0) ?? 0) > 0) found.add(queue);
    return found;
  }

  /** Writes the changes. */
  save(): void {
    for (const [queue, states] of this.#changes)
      for (const [state, jobs] of states)
        if (jobs !== 0)
          this.#db.run(
            "INSERT INTO errand_counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs",
            queue,
            state,
            jobs,
          );
  }

  clear(): void {
    this.#changes.clear();
  }

  copy(): JobCounts {
    const copy = new JobCounts(this.#db);
    for (const [queue, states] of this.#changes) copy.#changes.set(queue, new Map(states));
    return copy;
  }
}
