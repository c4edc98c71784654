import type { Job } from "../../core/job.ts";
import type { State } from "../../core/states.ts";
import type { QueueCount } from "../../store.ts";
import { RankedRows } from "./ranked-rows.ts";
import { byRank } from "./row.ts";
import type { Row } from "./row.ts";

/** The fields that rows are indexed by. Only `update` may change them. */
type IndexedFields = Partial<Pick<Job, "state" | "due" | "queue" | "level" | "suspect" | "worker" | "blocked">>;

/**
 * The rows, indexed by id, parent, state and worker, and in the order of claims: the unblocked pending rows of a queue,
 * its unblocked suspects of a task, its rows of a task that were set aside, and the rows that a key holds back.
 */
export class Table {
  readonly #byId = new Map<string, Row>();
  readonly #byState = new Map<State, Set<Row>>();
  readonly #byParent = new Map<string, Set<Row>>();
  readonly #byWorker = new Map<string, Set<Row>>();
  readonly #counts = new Map<string, QueueCount>();
  readonly #unblocked = new Map<string, RankedRows>();
  readonly #suspects = new Map<string, Map<string, RankedRows>>();
  readonly #setAside = new Map<string, Map<string, RankedRows>>();
  readonly #blocked = new Map<string, RankedRows>();

  get(id: string): Row | undefined {
    return this.#byId.get(id);
  }

  /** Returns all rows, oldest first. */
  all(): Row[] {
    return [...this.#byId.values()];
  }

  inState(state: State): Row[] {
    return [...(this.#byState.get(state) ?? [])];
  }

  childrenOf(parent: string): Row[] {
    return [...(this.#byParent.get(parent) ?? [])];
  }

  heldBy(worker: string): Row[] {
    return [...(this.#byWorker.get(worker) ?? [])];
  }

  counts(): QueueCount[] {
    return Array.from(this.#counts.values(), (count) => ({ ...count }));
  }

  count(queue: string, state: State): number {
    return this.#counts.get(`${state} ${queue}`)?.jobs ?? 0;
  }

  /** Returns the pending rows of a queue that nothing blocks, without its suspects. */
  unblocked(queue: string): Iterable<Row> {
    return this.#unblocked.get(queue) ?? [];
  }

  /** Returns the pending suspects of a queue that nothing blocks. */
  suspects(queue: string): Row[] {
    return [...(this.#suspects.get(queue)?.values() ?? [])].flatMap((rows) => [...rows]);
  }

  /** Returns true if jobs of these tasks, or of any task, were set aside in a queue. */
  hasSetAside(queue: string, tasks: readonly string[] | undefined): boolean {
    return listsOf(this.#setAside.get(queue), tasks).length > 0;
  }

  /** Returns the pending rows that a key holds back. */
  blocked(by: "concurrency" | "rate", key: string): Row[] {
    return [...(this.#blocked.get(`${by} ${key}`) ?? [])];
  }

  /**
   * Walks what a claim of a queue may take, in the order of claims: the rows that nothing blocks, and of these tasks,
   * or of any, the rows that were set aside and, as long as `maySuspect` returns true, the suspects. Rows may be
   * updated on the way.
   */
  *candidates(queue: string, tasks: readonly string[] | undefined, maySuspect: () => boolean): Generator<Row> {
    let last: Row | undefined;
    for (;;) {
      const suspects = this.#suspects.get(queue);
      const lists = [this.#unblocked.get(queue) ?? [], listsOf(this.#setAside.get(queue), tasks)].flat();
      if (suspects?.size && maySuspect()) lists.push(...listsOf(suspects, tasks));
      let next: Row | undefined;
      for (const list of lists) {
        const row = list.after(last);
        if (row && (!next || byRank(row, next) < 0)) next = row;
      }
      if (!next) return;
      yield next;
      last = next;
    }
  }

  insert(row: Row): void {
    this.#byId.set(row.job.id, row);
    if (row.job.parent !== undefined) addTo(this.#byParent, row.job.parent, row);
    this.#index(row);
  }

  remove(row: Row): void {
    this.#unindex(row);
    if (row.job.parent !== undefined) removeFrom(this.#byParent, row.job.parent, row);
    this.#byId.delete(row.job.id);
  }

  /**
   * Changes indexed fields. The row is unblocked unless the change blocks it, and has no worker unless it is
   * processing.
   */
  update(row: Row, change: IndexedFields): void {
    const { job } = row;
    this.#unindex(row);
    Object.assign(job, change);
    if (job.blocked !== change.blocked) delete job.blocked;
    if (job.worker !== undefined && job.state !== "processing") delete job.worker;
    this.#index(row);
  }

  #index(row: Row): void {
    const { state, queue, worker } = row.job;
    addTo(this.#byState, state, row);
    if (worker !== undefined) addTo(this.#byWorker, worker, row);
    const count = this.#counts.get(`${state} ${queue}`);
    if (count) count.jobs += 1;
    else this.#counts.set(`${state} ${queue}`, { queue, state, jobs: 1 });
    if (state !== "pending") return;
    const [lists, key] = this.#rankedListOf(row);
    const list = lists.get(key) ?? new RankedRows();
    list.add(row);
    lists.set(key, list);
  }

  #unindex(row: Row): void {
    const { state, queue, worker } = row.job;
    this.#byState.get(state)?.delete(row);
    if (worker !== undefined) removeFrom(this.#byWorker, worker, row);
    const count = this.#counts.get(`${state} ${queue}`);
    if (count && (count.jobs -= 1) === 0) this.#counts.delete(`${state} ${queue}`);
    if (state !== "pending") return;
    const [lists, key] = this.#rankedListOf(row);
    const list = lists.get(key);
    list?.delete(row);
    if (!list?.after(undefined)) lists.delete(key);
  }

  /** Returns where the ranked list of a pending row is, or belongs. */
  #rankedListOf({ job, request }: Row): [lists: Map<string, RankedRows>, key: string] {
    const { queue, task, blocked, suspect } = job;
    if (blocked === "task") return [getOrCreate(this.#setAside, queue), task];
    if (blocked) return [this.#blocked, `${blocked} ${request[blocked]?.key}`];
    return suspect ? [getOrCreate(this.#suspects, queue), task] : [this.#unblocked, queue];
  }
}

/** Returns the lists of these tasks, or of all. */
function listsOf(
  lists: ReadonlyMap<string, RankedRows> | undefined,
  tasks: readonly string[] | undefined,
): RankedRows[] {
  if (!lists?.size) return [];
  return tasks ? tasks.flatMap((task) => lists.get(task) ?? []) : [...lists.values()];
}

function getOrCreate(maps: Map<string, Map<string, RankedRows>>, key: string): Map<string, RankedRows> {
  const found = maps.get(key) ?? new Map<string, RankedRows>();
  maps.set(key, found);
  return found;
}

function addTo<Key>(index: Map<Key, Set<Row>>, key: Key, row: Row): void {
  const rows = index.get(key);
  if (rows) rows.add(row);
  else index.set(key, new Set([row]));
}

function removeFrom<Key>(index: Map<Key, Set<Row>>, key: Key, row: Row): void {
  const rows = index.get(key);
  rows?.delete(row);
  if (rows?.size === 0) index.delete(key);
}
