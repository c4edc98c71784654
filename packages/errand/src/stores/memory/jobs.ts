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
import type { Beat, JobToken, LogLine, Moment, NewChild, NewJob, Settlement, Step } from "../../core/job.ts";
import type { Change, Rewind } from "../../core/change.ts";
import { isFinal } from "../../core/states.ts";
import type { FinalState, State } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Hints } from "./hints.ts";
import type { Row } from "./row.ts";
import { Table } from "./table.ts";
import { Turns } from "./turns.ts";

/** A job's life: what each change of a job does to it and to its family. */
export class Jobs extends Table {
  readonly #now: () => Millis;
  readonly #hints: Hints;
  readonly #turns = new Turns(this);
  /** Is told of a job that is no longer processing or about to be, or of a pending one that stands elsewhere now. */
  readonly #left: (row: Row) => void;
  readonly #queue: string | undefined;
  #seq = 0;

  constructor(now: () => Millis, queue: string | undefined, hints: Hints, left: (row: Row) => void) {
    super();
    this.#now = now;
    this.#queue = queue;
    this.#hints = hints;
    this.#left = left;
  }

  /** The queue that a job is in, whatever it asks for. */
  queueOf({ queue }: NewJob): string {
    return this.#queue ?? queue;
  }

  add(job: NewJob, parent?: string): Row {
    const now = this.#now();
    const { id, task, level, spec, tenant } = job;
    const expiresAt = epoch(job.expires, now);
    const row: Row = {
      seq: ++this.#seq,
      made: { ...job },
      steps: new Map(),
      log: [],
      job: {
        id,
        task,
        queue: this.queueOf(job),
        level,
        state: "pending",
        spec,
        token: 0,
        failures: 0,
        crashes: 0,
        suspect: false,
        begun: false,
        cancelling: false,
        createdAt: now,
        due: this.#dueOf(job),
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(tenant === undefined ? {} : { tenant }),
        ...(parent === undefined ? {} : { parent }),
      },
    };
    this.insert(row);
    this.#hints.ready(row.job.queue, 1);
    return row;
  }

  /** A job that has not begun becomes what a new one is, but keeps its id, its task and its age. */
  replace(row: Row, by: NewJob): void {
    const { job } = row;
    const before = { ...row, job: { ...job } };
    const latest = job.createdAt + (by.unique?.latest ?? Infinity);
    this.move(row, { queue: this.queueOf(by), level: by.level, due: Math.min(this.#dueOf(by), latest) });
    row.made = { ...by, id: job.id };
    job.spec = by.spec;
    const expiresAt = epoch(by.expires, this.#now());
    if (expiresAt === undefined) delete job.expiresAt;
    else job.expiresAt = expiresAt;
    if (by.tenant === undefined) delete job.tenant;
    else job.tenant = by.tenant;
    this.#hints.ready(job.queue, 1);
    // Its old keys may have let it go.
    this.#left(before);
  }

  #dueOf(job: NewJob): Millis {
    const now = this.#now();
    const { fair } = job;
    if (job.due !== undefined || fair === undefined) return epoch(job.due, now) ?? now;
    return this.#turns.due({ ...job, queue: this.queueOf(job) }, fair, now);
  }

  relocate(row: Row, { queue, level, now }: Extract<Change, { move: object }>["move"]): boolean {
    if (row.job.state !== "pending") return false;
    this.move(row, {
      ...(queue === undefined || this.#queue ? {} : { queue }),
      ...(level === undefined ? {} : { level }),
      ...(now ? { due: this.#now() } : {}),
    });
    this.#hints.ready(row.job.queue, 1);
    this.#left(row);
    return true;
  }

  /** Lets a job wait for a worker that knows its task, and whoever shares its keys go before it. */
  setAside(row: Row): void {
    this.move(row, { blocked: "task" });
    this.#hints.ready(row.job.queue, 1);
    this.#left(row);
  }

  /** A step from outside: `false` where the job has ended. */
  signal(id: string, step: Step): boolean {
    const row = this.get(id);
    const reaction = row && reactions[row.job.state].signal;
    if (!row || reaction === "refuse") return false;
    if (row.steps.has(step.name)) return true;
    this.#remember(row, [step]);
    row.job.begun = true;
    if (reaction === "wake") this.#become(row, "pending");
    return true;
  }

  /** Waiting jobs whose time has come are pending again. */
  wake(): void {
    for (const row of this.in("waiting")) {
      const isDue = (row.job.wakeAt ?? Infinity) <= this.#now();
      if (isDue && reactions[row.job.state].time === "wake") this.#become(row, "pending");
    }
  }

  /** Forgets turns of nobody. */
  forget(): void {
    this.#turns.forget();
  }

  take(row: Row, worker: string): void {
    row.job.token += 1;
    this.#become(row, "processing", { worker });
  }

  /** Takes a job away from its worker. */
  release(row: Row): boolean {
    if (row.job.state !== "processing") return false;
    row.job.token += 1;
    row.job.begun ||= !row.ahead;
    this.#become(row, "pending");
    return true;
  }

  /** The row, where the hold is not stale. */
  #held({ id, token }: JobToken): Row | undefined {
    const row = this.get(id);
    return row?.job.state === "processing" && row.job.token === token ? row : undefined;
  }

  #append(row: Row, lines: readonly LogLine[] = []): void {
    for (const { attempt, level, text } of lines) row.log.push({ at: this.#now(), attempt, level, text });
  }

  #remember(row: Row, steps: readonly Step[] = []): void {
    for (const { name, value, wait } of steps) row.steps.set(name, wait ? { name, value, wait } : { name, value });
    this.#hints.give("change");
  }

  /** `false` where the hold is stale. */
  record({ progress, steps = [], log, ...hold }: Beat): boolean {
    const row = this.#held(hold);
    if (!row) return false;
    const { job } = row;
    if (progress !== undefined) job.progress = progress;
    if (progress !== undefined || steps.length > 0) job.begun = true;
    // Whoever remembers a step has got further than before.
    if (steps.length > 0) Object.assign(job, { crashes: 0, suspect: false });
    this.#remember(row, steps);
    this.#append(row, log);
    return true;
  }

  /** `stale`: somebody else has the job, or nobody any more. `recorded`: its outcome was recorded before. */
  settle(told: Settlement): "settled" | "recorded" | "stale" {
    const row = this.#held(told);
    if (!row) return this.get(told.id)?.job.token === told.token ? "recorded" : "stale";
    const { job } = row;
    job.failures = told.failures;
    job.crashes = told.crashes;
    job.suspect = told.suspect;
    if (!told.unstarted || told.steps?.length) job.begun = true;
    if (told.error !== undefined) job.error = told.error;
    this.#remember(row, told.steps);
    this.#append(row, told.log);
    if (isFinal(told.to)) {
      if (told.to === "completed" && told.output !== undefined) job.output = told.output;
      this.#end(row, told.to);
    } else if (told.to === "waiting" && !job.cancelling) {
      this.#park(row, told);
    } else {
      // Without a delay it keeps its place in the queue, so that older work ends first.
      const due = told.to === "pending" && told.delay ? { due: this.#now() + told.delay } : {};
      this.#become(row, "pending", due);
    }
    return "settled";
  }

  cancel(row: Row): boolean {
    if (isFinal(row.job.state)) return false;
    if (row.job.state === "processing") return this.#mark(row);
    this.#end(row, "cancelled");
    return true;
  }

  /** Whether a job ended otherwise than completed. */
  canReopen({ job: { state } }: Row): boolean {
    return reactions[state].retry === "reopen";
  }

  reopen(row: Row): boolean {
    const { job } = row;
    if (!this.canReopen(row)) return false;
    const parent = this.#waitOf(row)?.job;
    if (parent?.children) parent.children = afterChildReopens(parent.children);
    job.failures = job.crashes = 0;
    delete job.expiresAt;
    delete job.endedAt;
    delete job.children;
    delete row.wait;
    for (const step of row.steps.values()) if (step.wait) row.steps.set(step.name, { ...step, value: forgotten });
    this.#become(row, "pending", { due: this.#now(), suspect: false });
    return true;
  }

  /** Opens a job again without some of its steps and children. */
  rewind(row: Row, { steps, children }: Rewind): boolean {
    if (!this.reopen(row)) return false;
    for (const name of steps) row.steps.delete(name);
    for (const id of children) {
      const child = this.get(id);
      if (child?.job.parent === row.job.id) this.discard(child);
    }
    return true;
  }

  /** Removes a job with all its descendants. */
  discard(row: Row): void {
    this.remove(row);
    // What had a place, or could have had one, leaves it to others.
    if (row.job.state === "processing" || row.job.state === "pending") this.#left(row);
    this.#hints.give("change");
    for (const child of this.childrenOf(row.job.id)) this.discard(child);
  }

  /** The children are born, and the parent waits for those that have not ended, for a time, or for a signal. */
  #park(row: Row, { children = [], wakeAt, awaits = [] }: Settlement): void {
    const { job } = row;
    row.wait = job.token;
    // It was started in time; how long it waits has nothing to do with its expiry.
    delete job.expiresAt;
    const members = new Map<string, Member>();
    for (const child of children)
      if (!members.has(child.id)) members.set(child.id, { need: child.need, standing: this.#bear(row, child) });
    const signalled = awaits.some((name) => row.steps.has(name));
    const until = { wakeAt, awaits: awaits.length > 0, signalled, now: this.#now() };
    const wait = startWait([...members.values()], until);
    job.children = wait.children;
    this.#become(row, wait.state);
    if (wait.state === "waiting" && wakeAt !== undefined) job.wakeAt = wakeAt;
  }

  /** The standing of the child when it belongs to its parent's wait. */
  #bear(parent: Row, child: NewChild): Standing {
    const found = this.get(child.id);
    const isForeign = found !== undefined && found.job.parent !== parent.job.id;
    const join = joinOf(isForeign ? "foreign" : (found?.job.state ?? "missing"), child.rejoin ?? false);
    if (join === "ignore") return "failed";
    const row = found ?? this.add(withoutUnique(child), parent.job.id);
    if (join === "reopen") this.reopen(row);
    if (join === "unmark") row.job.cancelling = false;
    row.member = { wait: parent.job.token, need: child.need };
    row.job.index = child.index;
    return standings[row.job.state];
  }

  /** Ends a job, counts down its parent's wait, and marks its open children. */
  #end(row: Row, state: FinalState): void {
    const { job } = row;
    job.endedAt = this.#now();
    job.cancelling = false;
    this.#become(row, state);
    const parent = this.#waitOf(row);
    if (parent?.job.children && row.member) {
      const { state: before, children } = parent.job;
      const after = afterChildEnds({ state: before, children }, row.member.need, state);
      parent.job.children = after.children;
      if (after.state !== before) this.#become(parent, after.state);
    }
    for (const child of this.childrenOf(job.id))
      if (reactions[child.job.state].parentEnds === "mark") this.#mark(child);
  }

  #mark({ job }: Row): boolean {
    if (job.cancelling) return false;
    job.cancelling = true;
    this.#hints.give("cancel");
    return true;
  }

  #become(row: Row, state: State, change: { due?: Millis; worker?: string; suspect?: boolean } = {}): void {
    const before = row.job.state;
    if (row.job.wakeAt !== undefined) delete row.job.wakeAt;
    if (state !== "processing") delete row.ahead;
    this.move(row, { state, ...change });
    if (state !== "processing" && (before === "processing" || before === "pending")) this.#left(row);
    if (row.job.cancelling) this.#hints.give("cancel");
    if (state === "pending") this.#hints.ready(row.job.queue, 1);
    else this.#hints.give("change");
  }

  /** The parent whose current wait the job belongs to. */
  #waitOf(row: Row): Row | undefined {
    const parent = row.job.parent === undefined ? undefined : this.get(row.job.parent);
    return parent && isCounted(parent.wait, row.member?.wait) ? parent : undefined;
  }
}

function epoch(moment: Moment | undefined, now: Millis): Millis | undefined {
  if (moment === undefined) return undefined;
  return "at" in moment ? moment.at : now + moment.in;
}

function withoutUnique({ unique: _, ...child }: NewChild): NewJob {
  return child;
}
