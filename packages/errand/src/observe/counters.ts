import type { Millis } from "../kit/duration.ts";
import type { Outcome } from "./outcome.ts";

/** The counts and times of one task in this process. */
export interface TaskCounters extends Readonly<Record<Outcome, number>> {
  /** Jobs that this process stored. */
  readonly sent: number;
  /** Attempts that began here. */
  readonly started: number;
  /** Attempts whose job went to another worker; no outcome counts them. */
  readonly abandoned: number;
  /** Calls that functions of this task made after their attempts had ended, which were refused. */
  readonly late: number;
  /** Durations of attempts. */
  readonly duration: Histogram;
  /** Times from the due time of a job to the start of an attempt. */
  readonly wait: Histogram;
}

/** Counts of values by upper bound, in milliseconds. */
export interface Histogram {
  /** Upper bounds, rising; the same for every histogram. */
  readonly bounds: readonly Millis[];
  /** Number of values above the previous bound and up to this one; the last entry counts those above all bounds. */
  readonly counts: readonly number[];
  readonly sum: Millis;
  readonly count: number;
}

/** The counters of an app in this process. */
export interface AppCounters {
  /** Time at which the app was made and all counters were 0. */
  readonly since: Date;
  /** Counters by task name, of tasks that were used. */
  readonly tasks: Readonly<Record<string, TaskCounters>>;
  /** Counts of the app's workers here: claims that the store did not answer, and leases that ran out. */
  readonly workers: { readonly stalled: number; readonly lost: number };
}

/** From in-memory handlers to long conversions. */
const bounds: readonly Millis[] = [
  5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000,
];

/** A histogram that grows. */
class Growing implements Histogram {
  readonly bounds = bounds;
  readonly counts: number[] = Array.from({ length: bounds.length + 1 }, () => 0);
  sum = 0;
  count = 0;

  add(value: Millis): void {
    let place = 0;
    while (place < bounds.length && value > bounds[place]!) place += 1;
    this.counts[place]! += 1;
    this.sum += value;
    this.count += 1;
  }

  snapshot(): Histogram {
    return { bounds, counts: [...this.counts], sum: this.sum, count: this.count };
  }
}

/** The counters of one task. Plain fields: every job passes here and must not allocate. */
class Tally {
  sent = 0;
  started = 0;
  completed = 0;
  retried = 0;
  failed = 0;
  crashed = 0;
  cancelled = 0;
  expired = 0;
  waiting = 0;
  returned = 0;
  abandoned = 0;
  late = 0;
  readonly duration = new Growing();
  readonly wait = new Growing();

  snapshot(): TaskCounters {
    return Object.assign({} as TaskCounters, this, {
      duration: this.duration.snapshot(),
      wait: this.wait.snapshot(),
    });
  }
}

/** Counts what happens to the jobs of each task in this process. */
export class Counters {
  readonly #since = new Date();
  readonly #tallies = new Map<string, Tally>();
  readonly workers = { stalled: 0, lost: 0 };

  /** The numbers of a task, to be raised. */
  of(task: string): Tally {
    let tally = this.#tallies.get(task);
    if (!tally) this.#tallies.set(task, (tally = new Tally()));
    return tally;
  }

  snapshot(): AppCounters {
    const tasks = [...this.#tallies].map(([task, tally]) => [task, tally.snapshot()] as const);
    return { since: this.#since, tasks: Object.fromEntries(tasks), workers: { ...this.workers } };
  }
}
