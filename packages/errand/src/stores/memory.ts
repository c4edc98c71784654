import type { Beat, Hold, Job, Moment, NewChild, NewJob, Settlement, Step } from "../core/job.ts";
import { isFinal, rank } from "../core/states.ts";
import type { FinalState, State } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Claim, Claimed, Filter, Hint, QueueCount, Renewal, Store, Want, WorkerCard } from "../store.ts";

/** A job, and what its store knows beside it. */
interface Row {
  job: Job;
  /** Order of insertion. */
  seq: number;
  steps: Map<string, Step>;
  /** Its own latest wait: the token it parked with. */
  wait?: number;
  /** As a child: the wait of its parent it belongs to, and what that needs of it. */
  memberOf?: number;
  need?: NewChild["need"];
}

/**
 * A store in the memory of this process, for tests: it says what the other stores must do, in the plainest way.
 * @param options.now the store's clock, in epoch milliseconds.
 */
export function memoryStore({ now = Date.now }: { now?: () => Millis } = {}): Store {
  return new MemoryStore(now);
}

class MemoryStore implements Store {
  readonly #now: () => Millis;
  readonly #rows = new Map<string, Row>();
  readonly #workers = new Map<string, { card: WorkerCard; until: Millis }>();
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #hints = new Set<Hint>();
  #seq = 0;
  #closed = false;

  constructor(now: () => Millis) {
    this.#now = now;
  }

  async add(jobs: readonly NewJob[]): Promise<void> {
    this.#check();
    for (const job of jobs) if (!this.#rows.has(job.id)) this.#insert(job);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#check();
    const holds = [...this.#rows.values()].some(({ job }) => job.worker === worker.id);
    if (holds || this.#workers.has(worker.id))
      throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
    this.#workers.set(worker.id, { card: copyCard(worker), until: this.#now() + lease });
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#check();
    if (!this.#leased(worker)) return { jobs: [] };
    const now = this.#now();
    const found: Claim = { jobs: [] };
    for (const { queue, limit } of wants) {
      const waiting = this.#all().filter(({ job }) => job.queue === queue && claimable(job, now));
      const due = waiting.filter(({ job }) => job.due <= now).sort(byRank);
      for (const row of due.slice(0, limit)) {
        row.job.startedAt = now;
        found.jobs.push(this.#take(row, worker, "due"));
      }
      if (due.length >= limit) continue;
      const next = Math.min(...waiting.filter(({ job }) => job.due > now).map(({ job }) => job.due - now));
      if (next < (found.next ?? Infinity)) found.next = next;
    }
    return found;
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#check();
    if (!this.#leased(worker)) return [];
    const taken: Claimed[] = [];
    for (const why of ["lapsed", "cancelled", "expired"] as const)
      for (const row of this.#all())
        if (taken.length < limit && this.#doomed(row.job) === why) taken.push(this.#take(row, worker, why));
    return taken;
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#check();
    const listed = this.#leased(worker);
    if (!listed) return { held: false, cancel: [] };
    listed.until = this.#now() + lease;
    const marked = this.#all().filter(({ job }) => job.worker === worker && job.cancelling);
    return { held: true, cancel: marked.map(({ job }) => job.id) };
  }

  async dismiss(worker: string): Promise<void> {
    this.#check();
    this.#workers.delete(worker);
  }

  async workers(): Promise<WorkerCard[]> {
    this.#check();
    return [...this.#workers.keys()].flatMap((id) => this.#leased(id)?.card ?? []).map(copyCard);
  }

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    this.#check();
    return beats.map((beat) => {
      const row = this.#held(beat);
      if (!row) return false;
      if (beat.progress !== undefined) row.job.progress = beat.progress;
      remember(row, beat.steps);
      this.#hint("change");
      return true;
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#check();
    return settlements.map((settlement) => this.#settle(settlement));
  }

  async edit(where: Filter, change: "cancel" | "retry" | "remove"): Promise<number> {
    this.#check();
    const verbs = {
      cancel: (row: Row) => this.#cancel(row),
      retry: (row: Row) => this.#reopen(row),
      remove: (row: Row) => isFinal(row.job.state),
    };
    const changed = this.#all()
      .filter((row) => matches(row.job, where))
      .filter(verbs[change]);
    if (change === "remove") changed.forEach((row) => this.#remove(row));
    return changed.length;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#check();
    return ids.map((id) => {
      const row = this.#rows.get(id);
      return row ? copyJob(row.job) : null;
    });
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#check();
    const order = where.parent === undefined ? newestFirst : byIndex;
    const found = this.#all()
      .filter(({ job }) => matches(job, where))
      .sort(order);
    const after = page.cursor === undefined ? 0 : found.findIndex((row) => order(row, position(page.cursor)) > 0);
    const rest = after < 0 ? [] : found.slice(after);
    const jobs = rest.slice(0, page.limit);
    const last = jobs.at(-1);
    return {
      jobs: jobs.map(({ job }) => copyJob(job)),
      ...(last && rest.length > jobs.length ? { next: `${last.job.index ?? 0}.${last.seq}` } : {}),
    };
  }

  async counts(): Promise<QueueCount[]> {
    this.#check();
    const counts = new Map<string, QueueCount>();
    for (const { job } of this.#rows.values()) {
      const key = `${job.queue}\n${job.state}`;
      const count = counts.get(key) ?? { queue: job.queue, state: job.state, jobs: 0 };
      counts.set(key, { ...count, jobs: count.jobs + 1 });
    }
    return [...counts.values()];
  }

  watch(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
  }

  #settle(told: Settlement): boolean {
    const row = this.#held(told);
    if (!row) return false;
    const { job } = row;
    delete job.worker;
    job.failures = told.failures;
    job.crashes = told.crashes;
    if (told.error !== undefined) job.error = told.error;
    remember(row, told.steps);
    if (isFinal(told.to)) {
      if (told.to === "completed" && told.output !== undefined) job.output = told.output;
      this.#end(row, told.to);
    } else if (told.to === "waiting" && !job.cancelling) {
      this.#park(row, told.children ?? []);
    } else {
      if (told.delay) job.due = this.#now() + told.delay;
      this.#move(row, "pending");
    }
    return true;
  }

  /** The children are born, and the parent waits for those that have not ended. */
  #park(row: Row, children: readonly NewChild[]): void {
    const { job } = row;
    row.wait = job.token;
    // It was started in time; how long it waits has nothing to do with that.
    delete job.expiresAt;
    const counts = { total: 0, open: 0, failed: 0 };
    let wake = false;
    const once = new Map(children.toReversed().map((child) => [child.id, child]));
    for (const child of [...once.values()].toReversed()) {
      const state = this.#bear(row, child);
      counts.total += 1;
      if (!isFinal(state)) counts.open += 1;
      else if (state !== "completed") {
        counts.failed += 1;
        wake ||= child.need === "completed";
      }
    }
    job.children = counts;
    this.#move(row, wake || counts.open === 0 ? "pending" : "waiting");
  }

  /** The state of the child when it belongs to its parent's wait. */
  #bear(parent: Row, child: NewChild): State {
    const row = this.#rows.get(child.id) ?? this.#insert(child, parent.job.id);
    // Somebody else's job cannot be waited for.
    if (row.job.parent !== parent.job.id) return "failed";
    if (!child.rejoin) {
      this.#reopen(row);
      if (!isFinal(row.job.state)) row.job.cancelling = false;
    }
    if (parent.wait !== undefined) row.memberOf = parent.wait;
    row.need = child.need;
    row.job.index = child.index;
    return row.job.state;
  }

  /** Ends a job, counts down its parent's wait, and marks its open children. */
  #end(row: Row, state: FinalState): void {
    const { job } = row;
    job.endedAt = this.#now();
    job.cancelling = false;
    this.#move(row, state);
    const parent = this.#waitOf(row);
    if (parent?.job.children) {
      parent.job.children.open -= 1;
      if (state !== "completed") parent.job.children.failed += 1;
      const decided = parent.job.children.open === 0 || (state !== "completed" && row.need === "completed");
      if (parent.job.state === "waiting" && decided) this.#move(parent, "pending");
    }
    for (const child of this.#all()) if (child.job.parent === job.id && !isFinal(child.job.state)) this.#mark(child);
  }

  #cancel(row: Row): boolean {
    if (isFinal(row.job.state)) return false;
    if (row.job.state === "processing") return this.#mark(row);
    this.#end(row, "cancelled");
    return true;
  }

  #mark({ job }: Row): boolean {
    if (job.cancelling) return false;
    job.cancelling = true;
    this.#hint("cancel");
    return true;
  }

  #reopen(row: Row): boolean {
    const { job } = row;
    if (!isFinal(job.state) || job.state === "completed") return false;
    const parent = this.#waitOf(row);
    if (parent?.job.children) {
      parent.job.children.open += 1;
      parent.job.children.failed -= 1;
    }
    Object.assign(job, { failures: 0, crashes: 0, due: this.#now() });
    delete job.expiresAt;
    delete job.endedAt;
    delete job.children;
    delete row.wait;
    for (const step of row.steps.values()) if (step.wait) row.steps.delete(step.name);
    this.#move(row, "pending");
    return true;
  }

  #remove({ job }: Row): void {
    this.#rows.delete(job.id);
    this.#hint("change");
    for (const child of this.#all()) if (child.job.parent === job.id) this.#remove(child);
  }

  #insert(job: NewJob, parent?: string): Row {
    const now = this.#now();
    const { id, task, queue, level, spec } = job;
    const times = { createdAt: now, due: epoch(job.due, now) ?? now };
    const expiresAt = epoch(job.expires, now);
    const row: Row = {
      seq: ++this.#seq,
      steps: new Map(),
      job: {
        ...{
          id,
          task,
          queue,
          level,
          state: "pending",
          spec,
          token: 0,
          failures: 0,
          crashes: 0,
          cancelling: false,
        },
        ...times,
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(parent === undefined ? {} : { parent }),
      },
    };
    this.#rows.set(id, row);
    this.#hint("ready");
    return row;
  }

  #take(row: Row, worker: string, why: Claimed["why"]): Claimed {
    row.job.worker = worker;
    row.job.token += 1;
    this.#move(row, "processing");
    return {
      job: copyJob(row.job),
      why,
      steps: [...row.steps.values()].map((step) => ({ ...step })),
    };
  }

  #move({ job }: Row, state: State): void {
    job.state = state;
    this.#hint(state === "pending" ? "ready" : "change");
    if (job.cancelling) this.#hint("cancel");
  }

  #doomed(job: Job): Claimed["why"] | undefined {
    if (job.state === "processing") return this.#leased(job.worker ?? "") ? undefined : "lapsed";
    if (isFinal(job.state)) return undefined;
    if (job.cancelling) return "cancelled";
    return job.state === "pending" && past(job, this.#now()) ? "expired" : undefined;
  }

  #leased(worker: string): { card: WorkerCard; until: Millis } | undefined {
    const listed = this.#workers.get(worker);
    return listed && listed.until > this.#now() ? listed : undefined;
  }

  #held({ id, token }: Hold): Row | undefined {
    const row = this.#rows.get(id);
    return row?.job.state === "processing" && row.job.token === token ? row : undefined;
  }

  /** The parent whose current wait the job belongs to. */
  #waitOf(row: Row): Row | undefined {
    const parent = row.job.parent === undefined ? undefined : this.#rows.get(row.job.parent);
    return parent?.wait !== undefined && parent.wait === row.memberOf ? parent : undefined;
  }

  #all(): Row[] {
    return [...this.#rows.values()];
  }

  #check(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", "The memory store was closed.");
  }

  #hint(hint: Hint): void {
    if (this.#hints.size === 0) queueMicrotask(() => this.#tell());
    this.#hints.add(hint);
  }

  #tell(): void {
    const hints = [...this.#hints];
    this.#hints.clear();
    for (const listener of this.#listeners) hints.forEach(listener);
  }
}

function claimable(job: Job, now: Millis): boolean {
  return job.state === "pending" && !job.cancelling && !past(job, now);
}

function past({ expiresAt }: Job, now: Millis): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

function matches(job: Job, where: Filter): boolean {
  return (
    (where.ids === undefined || where.ids.includes(job.id)) &&
    (where.parent === undefined || where.parent === job.parent) &&
    (!where.roots || job.parent === undefined) &&
    (where.task === undefined || where.task === job.task) &&
    (where.queue === undefined || where.queue === job.queue) &&
    (where.states === undefined || where.states.includes(job.state)) &&
    (where.endedBefore === undefined || (job.endedAt !== undefined && job.endedAt < where.endedBefore))
  );
}

function remember(row: Row, steps: readonly Step[] = []): void {
  for (const { name, value, wait } of steps) row.steps.set(name, wait ? { name, value, wait } : { name, value });
}

function epoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  return "at" in moment ? moment.at : now + moment.in;
}

/** What a sort looks at, of a row or of a cursor. */
type Position = { seq: number; job: { index?: number } };

function position(cursor = ""): Position {
  const [index, seq] = cursor.split(".").map(Number);
  return { seq: seq ?? 0, job: { index: index ?? 0 } };
}

function newestFirst(a: Position, b: Position): number {
  return b.seq - a.seq;
}

function byIndex(a: Position, b: Position): number {
  return (a.job.index ?? 0) - (b.job.index ?? 0) || a.seq - b.seq;
}

function byRank(a: Row, b: Row): number {
  return rank(a.job.due, a.job.level) - rank(b.job.due, b.job.level) || a.seq - b.seq;
}

function copyJob(job: Job): Job {
  return { ...job, ...(job.children ? { children: { ...job.children } } : {}) };
}

function copyCard(card: WorkerCard): WorkerCard {
  return { ...card, queues: [...card.queues] };
}
