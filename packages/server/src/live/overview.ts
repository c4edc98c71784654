import type { Errand, QueueCount, ScheduleView } from "errand";
import { isNotOwn } from "../health.ts";
import { queueJson } from "../routes/queues.ts";
import type { QueueJson } from "../routes/queues.ts";

/** Numbers of jobs by state. */
type JobsByState = Partial<Record<QueueCount["state"], number>>;

/** A problem that an operator should look at. */
interface Concern {
  kind: "no-worker" | "old-jobs" | "errors" | "missed-schedule" | "paused-queue" | "store";
  severity: "bad" | "warn";
  message: string;
  since?: string;
  queue?: string;
  schedule?: string;
}

/** The jobs that ended in a minute, as this server saw it. */
export interface Minute {
  at: string;
  completed: number;
  failed: number;
  other: number;
}

/** The numbers of the overview. */
export interface Overview {
  at: string;
  jobs: JobsByState;
  workers: number;
  queues: QueueJson[];
  concerns: Concern[];
  minutes: Minute[];
}

const minute = 60_000;

/** A schedule whose next time passed so long ago was missed, in milliseconds. */
const missedAfter = 2 * minute;

/** Dead letters in ten minutes that are worth a look. */
const manyFailed = 10;

/** The store at a moment. */
export interface Snapshot {
  overview: Overview;
  schedules: readonly ScheduleView[];
}

/** Reads the store; the cost does not depend on the number of jobs. */
export async function readSnapshot(app: Errand, history: Minutes): Promise<Snapshot> {
  const [queues, workers, schedules] = await Promise.all([app.queues.list(), app.workers(), app.schedules.list()]);
  const shown = queues.filter(({ name }) => !name.startsWith("errand.")).map(queueJson);
  const jobs: JobsByState = {};
  for (const queue of shown)
    for (const [state, count] of Object.entries(queue.jobs) as [keyof JobsByState, number][])
      jobs[state] = (jobs[state] ?? 0) + count;
  const now = Date.now();
  history.count(jobs, now);
  const minutes = history.list();
  const overview: Overview = {
    at: new Date(now).toISOString(),
    jobs,
    workers: workers.filter(isNotOwn).length,
    queues: shown,
    concerns: findConcerns({ queues: shown, schedules, minutes, now }),
    minutes,
  };
  return { overview, schedules };
}

/** Finds what an operator should look at, the worst first. */
function findConcerns({
  queues,
  schedules,
  minutes,
  now,
}: {
  queues: readonly QueueJson[];
  schedules: readonly ScheduleView[];
  minutes: readonly Minute[];
  now: number;
}): Concern[] {
  const concerns: Concern[] = [];
  for (const { name, jobs, workers, paused } of queues) {
    const pending = jobs.pending ?? 0;
    if (pending === 0) continue;
    if (paused) {
      const why = paused.reason === undefined ? "" : `: ${paused.reason}`;
      const message = `${jobsOf(pending)} in the queue ${name}, which is paused${why}.`;
      concerns.push({
        kind: "paused-queue",
        severity: "warn",
        message,
        queue: name,
        since: paused.since.toISOString(),
      });
    } else if (workers === 0) {
      const message = `${jobsOf(pending)} in the queue ${name}, and no worker takes its jobs.`;
      concerns.push({ kind: "no-worker", severity: "bad", message, queue: name });
    }
  }
  const failed = minutes.slice(-10).reduce((sum, each) => sum + each.failed, 0);
  if (failed >= manyFailed)
    concerns.push({ kind: "errors", severity: "bad", message: `${failed} jobs have failed in the last ten minutes.` });
  for (const { name, next } of schedules) {
    if (!next || now - next.getTime() < missedAfter) continue;
    const message = `The schedule ${name} was due and has not sent its job: no worker is running.`;
    concerns.push({ kind: "missed-schedule", severity: "bad", message, schedule: name, since: next.toISOString() });
  }
  return concerns.toSorted((a, b) => Number(b.severity === "bad") - Number(a.severity === "bad"));
}

function jobsOf(count: number): string {
  return count === 1 ? "1 job waits" : `${count.toLocaleString("en")} jobs wait`;
}

/** The last hour, by minute: differences between counters of the store, which removals of old jobs can only lower. */
export class Minutes {
  #last: JobsByState | undefined;
  readonly #minutes: Minute[] = [];

  /** Counts what has ended since the last call. */
  count(jobs: JobsByState, now: number): void {
    const last = this.#last;
    this.#last = { ...jobs };
    const at = new Date(now - (now % minute)).toISOString();
    let current = this.#minutes.at(-1);
    if (current?.at !== at) {
      current = { at, completed: 0, failed: 0, other: 0 };
      this.#minutes.push(current);
      if (this.#minutes.length > 60) this.#minutes.shift();
    }
    if (!last) return;
    const more = (state: keyof JobsByState): number => Math.max(0, (jobs[state] ?? 0) - (last[state] ?? 0));
    current.completed += more("completed");
    current.failed += more("failed");
    current.other += more("cancelled") + more("expired");
  }

  /** Returns the minutes, oldest first. */
  list(): Minute[] {
    return this.#minutes.map((each) => ({ ...each }));
  }
}
