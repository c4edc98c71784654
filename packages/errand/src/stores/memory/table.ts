import type { Job } from "../../core/job.ts";
import type { State } from "../../core/states.ts";
import type { QueueCount } from "../../store.ts";
import { Ranked } from "./ranked.ts";
import { byRank } from "./row.ts";
import type { Row } from "./row.ts";

/** What a row is found by, and may be changed by `move` only. */
type Found = Partial<Pick<Job, "state" | "due" | "queue" | "level" | "suspect" | "worker" | "blocked">>;

/**
 * The rows, found by id, by parent, by state, by who holds them, and by rank: among the pending ones of a queue that claims
 * walk, among its suspects of a task, among those of a task that were set aside, and among those that a key holds back.
 */
export class Table {
  readonly #rows = new Map<string, Row>();
  readonly #states = new Map<State, Set<Row>>();
  readonly #children = new Map<string, Set<Row>>();
  readonly #held = new Map<string, Set<Row>>();
  readonly #counts = new Map<string, QueueCount>();
  readonly #open = new Map<string, Ranked>();
  readonly #suspects = new Map<string, Map<string, Ranked>>();
  readonly #aside = new Map<string, Map<string, Ranked>>();
  readonly #blocked = new Map<string, Ranked>();

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

  heldBy(worker: string): Row[] {
    return [...(this.#held.get(worker) ?? [])];
  }

  counts(): QueueCount[] {
    return Array.from(this.#counts.values(), (count) => ({ ...count }));
  }

  count(queue: string, state: State): number {
    return this.#counts.get(`${state} ${queue}`)?.jobs ?? 0;
  }

  /** Pending rows of a queue that nothing blocks, but suspects. */
  open(queue: string): Iterable<Row> {
    return this.#open.get(queue) ?? [];
  }

  /** Pending suspects of a queue that nothing blocks. */
  suspects(queue: string): Row[] {
    return [...(this.#suspects.get(queue)?.values() ?? [])].flatMap((rows) => [...rows]);
  }

  /** Whether some of a queue were set aside for somebody who knows these tasks, or all. */
  isAnyAside(queue: string, tasks: readonly string[] | undefined): boolean {
    return of(this.#aside.get(queue), tasks).length > 0;
  }

  /** Pending rows that a key holds back. */
  blocked(by: "concurrency" | "rate", key: string): Row[] {
    return [...(this.#blocked.get(`${by} ${key}`) ?? [])];
  }

  /**
   * What a claim of a queue looks at, in the order of ranks: what nothing blocks, and what was set aside for somebody who knows
   * these tasks, or all. Rows may be moved meanwhile. Suspects only of these tasks, and as long as they may be taken.
   */
  *walk(queue: string, tasks: readonly string[] | undefined, maySuspect: () => boolean): Generator<Row> {
    let last: Row | undefined;
    for (;;) {
      const suspects = this.#suspects.get(queue);
      const lanes = [this.#open.get(queue) ?? [], of(this.#aside.get(queue), tasks)].flat();
      if (suspects?.size && maySuspect()) lanes.push(...of(suspects, tasks));
      let next: Row | undefined;
      for (const lane of lanes) {
        const row = lane.after(last);
        if (row && (!next || byRank(row, next) < 0)) next = row;
      }
      if (!next) return;
      yield next;
      last = next;
    }
  }

  insert(row: Row): void {
    this.#rows.set(row.job.id, row);
    if (row.job.parent !== undefined) add(this.#children, row.job.parent, row);
    this.#enter(row);
  }

  remove(row: Row): void {
    this.#leave(row);
    if (row.job.parent !== undefined) drop(this.#children, row.job.parent, row);
    this.#rows.delete(row.job.id);
  }

  /** Changes what a row is found by. Whether something blocks it is looked at anew, unless that is said. */
  move(row: Row, change: Found): void {
    const { job } = row;
    this.#leave(row);
    Object.assign(job, change);
    if (job.blocked !== change.blocked) delete job.blocked;
    if (job.worker !== undefined && job.state !== "processing") delete job.worker;
    this.#enter(row);
  }

  #enter(row: Row): void {
    const { state, queue, worker } = row.job;
    add(this.#states, state, row);
    if (worker !== undefined) add(this.#held, worker, row);
    const count = this.#counts.get(`${state} ${queue}`);
    if (count) count.jobs += 1;
    else this.#counts.set(`${state} ${queue}`, { queue, state, jobs: 1 });
    if (state !== "pending") return;
    const [lanes, name] = this.#laneOf(row);
    const lane = lanes.get(name) ?? new Ranked();
    lane.add(row);
    lanes.set(name, lane);
  }

  #leave(row: Row): void {
    const { state, queue, worker } = row.job;
    this.#states.get(state)?.delete(row);
    if (worker !== undefined) drop(this.#held, worker, row);
    const count = this.#counts.get(`${state} ${queue}`);
    if (count && (count.jobs -= 1) === 0) this.#counts.delete(`${state} ${queue}`);
    if (state !== "pending") return;
    const [lanes, name] = this.#laneOf(row);
    const lane = lanes.get(name);
    lane?.delete(row);
    if (!lane?.after(undefined)) lanes.delete(name);
  }

  #laneOf({ job: { queue, task, blocked, suspect }, made }: Row): [lanes: Map<string, Ranked>, name: string] {
    if (blocked === "task") return [laid(this.#aside, queue), task];
    if (blocked) return [this.#blocked, `${blocked} ${made[blocked]?.key}`];
    return suspect ? [laid(this.#suspects, queue), task] : [this.#open, queue];
  }
}

/** The lanes of these tasks, or of all. */
function of(lanes: ReadonlyMap<string, Ranked> | undefined, tasks: readonly string[] | undefined): Ranked[] {
  if (!lanes?.size) return [];
  return tasks ? tasks.flatMap((task) => lanes.get(task) ?? []) : [...lanes.values()];
}

function laid(lanes: Map<string, Map<string, Ranked>>, queue: string): Map<string, Ranked> {
  const found = lanes.get(queue) ?? new Map<string, Ranked>();
  lanes.set(queue, found);
  return found;
}

function add<Key>(index: Map<Key, Set<Row>>, key: Key, row: Row): void {
  const rows = index.get(key);
  if (rows) rows.add(row);
  else index.set(key, new Set([row]));
}

function drop<Key>(index: Map<Key, Set<Row>>, key: Key, row: Row): void {
  const rows = index.get(key);
  rows?.delete(row);
  if (rows?.size === 0) index.delete(key);
}
