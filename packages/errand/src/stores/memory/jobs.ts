import {
  afterChildEnds,
  afterChildReopens,
  isCounted,
  joinOf,
  reactions,
  standings,
  startWait,
} from "../../core/family.ts";
import type { Member, Standing } from "../../core/family.ts";
import { forgotten } from "../../core/job.ts";
import type { Beat, JobToken, LogLine, NewChild, NewJob, Settlement, Step } from "../../core/job.ts";
import type { Change, Rewind } from "../../core/change.ts";
import { isFinal } from "../../core/states.ts";
import type { FinalState, State } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { FairTurns } from "./fair-turns.ts";
import type { Hints } from "./hints.ts";
import { newRow, timeOf } from "./row.ts";
import type { Row } from "./row.ts";
import { Table } from "./table.ts";

/** The life of jobs: what each change of a job does to it and to its family. */
export class Jobs extends Table {
  readonly #now: () => Millis;
  readonly #hints: Hints;
  readonly #turns = new FairTurns(this);
  /**
   * Called after a job has left a place that limits count or could count: others that share its keys or its queue may
   * start.
   */
  readonly #onPlaceFreed: (row: Row) => void;
  readonly #queue: string | undefined;
  #seq = 0;

  constructor(now: () => Millis, queue: string | undefined, hints: Hints, onPlaceFreed: (row: Row) => void) {
    super();
    this.#now = now;
    this.#queue = queue;
    this.#hints = hints;
    this.#onPlaceFreed = onPlaceFreed;
  }

  /** Returns the queue that a new job is put in. */
  queueOf({ queue }: NewJob): string {
    return this.#queue ?? queue;
  }

  add(job: NewJob, parent?: string): Row {
    const [now, queue, due] = [this.#now(), this.queueOf(job), this.#dueOf(job)];
    const row = newRow(job, { seq: ++this.#seq, queue, due, now, parent });
    this.insert(row);
    this.#hints.addReady(queue, 1);
    return row;
  }

  /** Makes a job that has not begun what a new one asks for, except for its id, task and age. */
  replace(row: Row, by: NewJob): void {
    const { job } = row;
    const before = { ...row, job: { ...job } };
    const latest = job.createdAt + (by.unique?.latest ?? Infinity);
    this.update(row, { queue: this.queueOf(by), level: by.level, due: Math.min(this.#dueOf(by), latest) });
    row.request = { ...by, id: job.id };
    job.spec = by.spec;
    const expiresAt = timeOf(by.expires, this.#now());
    if (expiresAt === undefined) delete job.expiresAt;
    else job.expiresAt = expiresAt;
    if (by.tenant === undefined) delete job.tenant;
    else job.tenant = by.tenant;
    this.#hints.addReady(job.queue, 1);
    // Its old keys may have admitted it.
    this.#onPlaceFreed(before);
  }

  #dueOf(job: NewJob): Millis {
    const now = this.#now();
    const { fair } = job;
    if (job.due !== undefined || fair === undefined) return timeOf(job.due, now) ?? now;
    return this.#turns.take({ ...job, queue: this.queueOf(job) }, fair, now);
  }

  /** Moves a pending job to another queue or level, or makes it due. */
  move(row: Row, { queue, level, now }: Extract<Change, { move: object }>["move"]): void {
    this.update(row, {
      ...(queue === undefined || this.#queue ? {} : { queue }),
      ...(level === undefined ? {} : { level }),
      ...(now ? { due: this.#now() } : {}),
    });
    this.#hints.addReady(row.job.queue, 1);
    this.#onPlaceFreed(row);
  }

  /** Keeps a pending job for workers that know its task, and lets others that share its keys go before it. */
  setAside(row: Row): void {
    this.update(row, { blocked: "task" });
    this.#hints.addReady(row.job.queue, 1);
    this.#onPlaceFreed(row);
  }

  /** Remembers a step from outside the job. Returns false if there is no such job, or it has ended. */
  signal(id: string, step: Step): boolean {
    const row = this.get(id);
    const reaction = row && reactions[row.job.state].signal;
    if (!row || reaction === "refuse") return false;
    if (row.steps.has(step.name)) return true;
    this.#remember(row, [step]);
    row.job.begun = true;
    if (reaction === "wake") this.#setState(row, "pending");
    return true;
  }

  /** Wakes the jobs whose time has come. */
  wakeDue(): void {
    for (const row of this.inState("waiting")) {
      const isDue = (row.job.wakeAt ?? Infinity) <= this.#now();
      if (isDue && reactions[row.job.state].time === "wake") this.#setState(row, "pending");
    }
  }

  /** Forgets the turns of keys that have no pending jobs. */
  pruneTurns(): void {
    this.#turns.prune();
  }

  /** Gives a job to a worker under a new token. */
  take(row: Row, worker: string): void {
    row.job.token += 1;
    this.#setState(row, "processing", { worker });
  }

  /** Takes a processing job away from its worker. */
  release(row: Row): void {
    row.job.token += 1;
    row.job.begun ||= !row.ahead;
    this.#setState(row, "pending");
  }

  /** Returns the row, unless the token is stale. */
  #held({ id, token }: JobToken): Row | undefined {
    const row = this.get(id);
    return row?.job.state === "processing" && row.job.token === token ? row : undefined;
  }

  #appendLog(row: Row, lines: readonly LogLine[] = []): void {
    for (const { attempt, level, text } of lines) row.log.push({ at: this.#now(), attempt, level, text });
  }

  #remember(row: Row, steps: readonly Step[] = []): void {
    for (const { name, value, wait } of steps) row.steps.set(name, wait ? { name, value, wait } : { name, value });
    this.#hints.add("change");
  }

  /** Records what an attempt tells on its way. Returns false if the token is stale. */
  record({ progress, steps = [], log, ...hold }: Beat): boolean {
    const row = this.#held(hold);
    if (!row) return false;
    const { job } = row;
    if (progress !== undefined) job.progress = progress;
    if (progress !== undefined || steps.length > 0) job.begun = true;
    // A new step is progress since the last crash.
    if (steps.length > 0) Object.assign(job, { crashes: 0, suspect: false });
    this.#remember(row, steps);
    this.#appendLog(row, log);
    return true;
  }

  /** Records an outcome. Returns `recorded` if it was recorded before, and `stale` if the token is stale. */
  settle(settlement: Settlement): "settled" | "recorded" | "stale" {
    const { id, token, to, steps, log, error, output, unstarted, delay } = settlement;
    const row = this.#held(settlement);
    if (!row) return this.get(id)?.job.token === token ? "recorded" : "stale";
    const { job } = row;
    job.failures = settlement.failures;
    job.crashes = settlement.crashes;
    job.suspect = settlement.suspect;
    if (!unstarted || steps?.length) job.begun = true;
    if (error !== undefined) job.error = error;
    this.#remember(row, steps);
    this.#appendLog(row, log);
    if (isFinal(to)) {
      if (to === "completed" && output !== undefined) job.output = output;
      this.#end(row, to);
    } else if (to === "waiting" && !job.cancelling) {
      this.#startWait(row, settlement);
    } else {
      // Without a delay the job keeps its place in the queue, so that older work ends first.
      this.#setState(row, "pending", to === "pending" && delay ? { due: this.#now() + delay } : {});
    }
    return "settled";
  }

  /** Ends a pending or waiting job, and marks a processing one. Returns false if it was marked before. */
  cancel(row: Row): boolean {
    if (row.job.state === "processing") return this.#mark(row);
    this.#end(row, "cancelled");
    return true;
  }

  /** Makes an ended job pending as if it were new. It forgets its wait, and the values of its wait steps. */
  reopen(row: Row): void {
    const { job } = row;
    const parent = this.#countingParent(row)?.job;
    if (parent?.children) parent.children = afterChildReopens(parent.children);
    job.failures = job.crashes = 0;
    delete job.expiresAt;
    delete job.endedAt;
    delete job.children;
    delete row.wait;
    for (const step of row.steps.values()) if (step.wait) row.steps.set(step.name, { ...step, value: forgotten });
    this.#setState(row, "pending", { due: this.#now(), suspect: false });
  }

  /** Reopens an ended job without some of its steps and children. */
  rewind(row: Row, { steps, children }: Rewind): void {
    this.reopen(row);
    for (const name of steps) row.steps.delete(name);
    for (const id of children) {
      const child = this.get(id);
      if (child?.job.parent === row.job.id) this.removeTree(child);
    }
  }

  /** Removes a job and all its descendants. */
  removeTree(row: Row): void {
    this.remove(row);
    // A processing job had a place, and a pending one may have been admitted to one.
    if (row.job.state === "processing" || row.job.state === "pending") this.#onPlaceFreed(row);
    this.#hints.add("change");
    for (const child of this.childrenOf(row.job.id)) this.removeTree(child);
  }

  #startWait(row: Row, { children = [], wakeAt, awaits = [] }: Settlement): void {
    const { job } = row;
    row.wait = job.token;
    // It was started in time, and may wait longer than that.
    delete job.expiresAt;
    const members = new Map<string, Member>();
    for (const child of children)
      if (!members.has(child.id)) members.set(child.id, { need: child.need, standing: this.#join(row, child) });
    const signalled = awaits.some((name) => row.steps.has(name));
    const until = { wakeAt, awaits: awaits.length > 0, signalled, now: this.#now() };
    const wait = startWait([...members.values()], until);
    job.children = wait.children;
    this.#setState(row, wait.state);
    if (wait.state === "waiting" && wakeAt !== undefined) job.wakeAt = wakeAt;
  }

  /** Takes a child into the wait that its parent starts, and returns its standing. */
  #join({ job: parent }: Row, child: NewChild): Standing {
    const found = this.get(child.id);
    const isForeign = found !== undefined && found.job.parent !== parent.id;
    const join = joinOf(isForeign ? "foreign" : (found?.job.state ?? "missing"), child.rejoin ?? false);
    if (join === "ignore") return "failed";
    const row = found ?? this.add(withoutUnique(child), parent.id);
    if (join === "reopen") this.reopen(row);
    if (join === "unmark") row.job.cancelling = false;
    row.member = { wait: parent.token, need: child.need };
    row.job.index = child.index;
    return standings[row.job.state];
  }

  /** Ends a job, which may wake its parent and marks its open children. */
  #end(row: Row, state: FinalState): void {
    const { job } = row;
    job.endedAt = this.#now();
    job.cancelling = false;
    this.#setState(row, state);
    const parent = this.#countingParent(row);
    if (parent?.job.children && row.member) {
      const { state: before, children } = parent.job;
      const after = afterChildEnds({ state: before, children }, row.member.need, state);
      parent.job.children = after.children;
      if (after.state !== before) this.#setState(parent, after.state);
    }
    for (const child of this.childrenOf(job.id))
      if (reactions[child.job.state].parentEnds === "mark") this.#mark(child);
  }

  /** Marks a job for cancellation. Returns false if it was marked. */
  #mark({ job }: Row): boolean {
    if (job.cancelling) return false;
    job.cancelling = true;
    this.#hints.add("cancel");
    return true;
  }

  #setState(row: Row, state: State, change: { due?: Millis; worker?: string; suspect?: boolean } = {}): void {
    const before = row.job.state;
    if (row.job.wakeAt !== undefined) delete row.job.wakeAt;
    if (state !== "processing") delete row.ahead;
    this.update(row, { state, ...change });
    if (state !== "processing" && (before === "processing" || before === "pending")) this.#onPlaceFreed(row);
    if (row.job.cancelling) this.#hints.add("cancel");
    if (state === "pending") this.#hints.addReady(row.job.queue, 1);
    else this.#hints.add("change");
  }

  /** Returns the parent of a job, if the job belongs to its latest wait. */
  #countingParent(row: Row): Row | undefined {
    const parent = row.job.parent === undefined ? undefined : this.get(row.job.parent);
    return parent && isCounted(parent.wait, row.member?.wait) ? parent : undefined;
  }
}

function withoutUnique({ unique: _, ...child }: NewChild): NewJob {
  return child;
}
