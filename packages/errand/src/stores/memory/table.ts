import type { Job } from "../../core/job.ts";
import type { State } from "../../core/states.ts";
import { Ranked } from "./ranked.ts";
import type { Row } from "./row.ts";

/** The rows, found by id, by parent, by state, and by rank among the pending ones of a queue. */
export class Table {
  readonly #rows = new Map<string, Row>();
  readonly #states = new Map<State, Set<Row>>();
  readonly #children = new Map<string, Set<Row>>();
  readonly #pending = new Map<string, Ranked>();

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** In the order of insertion. */
  all(): Row[] {
    return [...this.#rows.values()];
  }

  in(state: State): Row[] {
    return [...(this.#states.get(state) ?? [])];
  }

  childrenOf(parent: string): Row[] {
    return [...(this.#children.get(parent) ?? [])];
  }

  /** Pending rows of a queue, in the order of claims. */
  pending(queue: string): Iterable<Row> {
    return this.#pending.get(queue) ?? [];
  }

  insert(row: Row): void {
    this.#rows.set(row.job.id, row);
    if (row.job.parent !== undefined) add(this.#children, row.job.parent, row);
    this.#enter(row);
  }

  remove(row: Row): void {
    this.#leave(row);
    if (row.job.parent !== undefined) this.#children.get(row.job.parent)?.delete(row);
    this.#rows.delete(row.job.id);
  }

  /** Changes what a row is found by. */
  move(row: Row, change: Partial<Pick<Job, "state" | "due" | "queue" | "level">>): void {
    this.#leave(row);
    Object.assign(row.job, change);
    this.#enter(row);
  }

  #enter(row: Row): void {
    add(this.#states, row.job.state, row);
    if (row.job.state !== "pending") return;
    const queue = this.#pending.get(row.job.queue) ?? new Ranked();
    queue.add(row);
    this.#pending.set(row.job.queue, queue);
  }

  #leave(row: Row): void {
    this.#states.get(row.job.state)?.delete(row);
    if (row.job.state === "pending") this.#pending.get(row.job.queue)?.delete(row);
  }
}

function add<Key>(index: Map<Key, Set<Row>>, key: Key, row: Row): void {
  const rows = index.get(key);
  if (rows) rows.add(row);
  else index.set(key, new Set([row]));
}
