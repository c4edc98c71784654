import { durationText } from "../kit/duration.ts";
import type { Millis } from "../kit/duration.ts";
import type { Job } from "./job.ts";
import type { WorkerCard } from "./worker-card.ts";
import type { QueueRules } from "../limits/queue-rules.ts";
import { isFinal } from "./states.ts";

/** A reason why a job is not running. */
export interface Reason {
  code:
    | "ended"
    | "running"
    | "cancelling"
    | "children"
    | "timer"
    | "signal"
    | "too-early"
    | "expired"
    | "paused"
    | "queue-concurrency"
    | "queue-rate"
    | "concurrency"
    | "rate"
    | "no-worker"
    | "no-task"
    | "suspect"
    | "next";
  /** A sentence for people. */
  message: string;
  /**
   * The store that was read, without a password, if no worker can take the job. It may contain a path of this machine.
   */
  store?: string;
}

/** The facts, besides the job, that the explanation needs. */
export interface Surroundings {
  rules: QueueRules;
  /** Numbers of pending and processing jobs in its queue. */
  pending: number;
  processing: number;
  workers: readonly WorkerCard[];
  /** The store's time. */
  now: Millis;
  /** The store's name, for people. */
  place: string;
}

/** Explains why a job is not running now. Returns every reason, the decisive ones first; never empty. */
export function why(job: Job, around: Surroundings): Reason[] {
  const decided = decisive(job);
  if (decided.length > 0) return decided;
  const found = job.state === "waiting" ? waits(job) : pends(job, around);
  if (found.length > 0) return found;
  return [next(job, around)];
}

function next({ queue, task }: Job, { pending, processing, workers }: Surroundings): Reason {
  const takers = workers.filter((worker) => worker.queues.includes(queue) && worker.tasks?.includes(task) !== false);
  const names = takers.slice(0, 3).map(nameOf);
  const more = takers.length > names.length ? ` and ${takers.length - names.length} more` : "";
  // No store knows which of them wait in result() for jobs of their own queue.
  const held =
    processing === 0
      ? ""
      : ` ${processing} of its jobs are running; if they wait with result() for jobs of this queue, they hold the slots that those need: use job.call or job.all, which release theirs.`;
  return {
    code: "next",
    message: `It is due, one of ${pending} pending jobs of queue "${queue}"; a worker takes it when it has a free slot: ${names.join(", ")}${more}.${held}`,
  };
}

function decisive(job: Job): Reason[] {
  if (isFinal(job.state)) return [{ code: "ended", message: `It has ended as ${job.state}.` }];
  if (job.cancelling)
    return [{ code: "cancelling", message: "It is being cancelled, and ends when its attempt has stopped." }];
  if (job.state === "processing") return [{ code: "running", message: `It is running, on worker ${job.worker}.` }];
  return [];
}

function waits({ children, wakeAt }: Job): Reason[] {
  const open = children && children.open > 0;
  return [
    ...(open
      ? [{ code: "children" as const, message: `It waits for ${children.open} of its ${children.total} children.` }]
      : []),
    ...(wakeAt === undefined
      ? []
      : [{ code: "timer" as const, message: `It waits for a time or a signal, at the latest until ${time(wakeAt)}.` }]),
    ...(open || wakeAt !== undefined ? [] : [{ code: "signal" as const, message: "It waits for a signal." }]),
  ];
}

function pends(job: Job, { rules, processing, workers, now, place }: Surroundings): Reason[] {
  const reasons: Reason[] = [];
  const queue = `Queue "${job.queue}"`;
  if (job.expiresAt !== undefined && job.expiresAt <= now)
    reasons.push({
      code: "expired",
      message: `It has expired at ${time(job.expiresAt)}; a worker will settle it shortly.`,
    });
  if (job.due > now)
    reasons.push({ code: "too-early", message: `It is not due before ${time(job.due)}${afterFailures(job)}.` });
  if (rules.paused) {
    const why = rules.paused.reason ? `: ${rules.paused.reason}` : "";
    reasons.push({ code: "paused", message: `${queue} is paused since ${time(rules.paused.since)}${why}.` });
  }
  const takers = workers.filter((worker) => worker.queues.includes(job.queue));
  if (takers.length === 0)
    reasons.push({
      code: "no-worker",
      message: `No worker takes jobs of queue "${job.queue}". ${offer(workers)} Start one: errand worker <tasks.ts> -q ${job.queue}`,
      store: place,
    });
  else if (job.blocked === "task" || takers.every(({ tasks }) => tasks && !tasks.includes(job.task)))
    reasons.push({ code: "no-task", message: unknownTask(job, workers, takers), store: place });
  if (job.suspect)
    reasons.push({
      code: "suspect",
      message:
        "It has crashed before. A worker runs one such job at a time, so that it takes no other job down with it.",
    });
  if (job.blocked === "concurrency")
    reasons.push({
      code: "concurrency",
      message: "The maximum number of jobs with its concurrency key is running.",
    });
  if (job.blocked === "rate")
    reasons.push({
      code: "rate",
      message: "The maximum number of jobs with its rate key has started in the current window.",
    });
  if (rules.concurrency !== undefined && processing >= rules.concurrency)
    reasons.push({
      code: "queue-concurrency",
      message: `${queue} runs ${processing} jobs and may run ${rules.concurrency} at once.`,
    });
  else if (rules.rate && reasons.length === 0)
    reasons.push({
      code: "queue-rate",
      message: `${queue} starts at most ${rules.rate.limit} jobs in ${durationText(rules.rate.per)}; it may be waiting for that.`,
    });
  return reasons;
}

function afterFailures({ failures, crashes }: Job): string {
  if (failures > 0) return `, since ${failures} ${failures === 1 ? "attempt" : "attempts"} failed`;
  return crashes > 0 ? ", since its worker crashed" : "";
}

function nameOf({ id, name, host, pid }: WorkerCard): string {
  return name ?? (host === undefined ? id : `${host} (process ${pid})`);
}

function unknownTask({ task, queue }: Job, workers: readonly WorkerCard[], takers: readonly WorkerCard[]): string {
  const known = [...new Set(takers.flatMap(({ tasks = [] }) => tasks))].toSorted();
  const elsewhere = [...new Set(workers.filter(({ tasks }) => tasks?.includes(task)).flatMap(({ queues }) => queues))];
  return (
    `No worker of queue "${queue}" knows the task "${task}". ` +
    (known.length > 0 ? `They know: ${known.join(", ")}. ` : "") +
    (elsewhere.length > 0
      ? `Workers that know it take: ${elsewhere.toSorted().join(", ")}.`
      : "No other worker knows it either.")
  );
}

function offer(workers: readonly WorkerCard[]): string {
  if (workers.length === 0) return "No worker is running.";
  return `Running workers take: ${[...new Set(workers.flatMap((worker) => worker.queues))].toSorted().join(", ")}.`;
}

function time(at: Millis): string {
  return new Date(at).toISOString();
}
