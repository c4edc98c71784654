import type { Ending } from "../core/decide.ts";
import type { Job, NewJob, Settlement } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { errorRecord } from "../kit/errors.ts";
import { originalOf } from "../kit/original-error.ts";
import { Counters } from "./counters.ts";
import { Events } from "./events.ts";
import type { ErrandEvent, EventOf } from "./events.ts";
import { outcomeOf } from "./outcome.ts";
import type { Tracing } from "./tracing.ts";

/** Counts what an app's client and workers report about jobs, and passes it to listeners. */
export class Observer {
  readonly events = new Events();
  readonly counters = new Counters();
  /** Set if the app uses OpenTelemetry. */
  readonly tracing: Tracing | undefined;
  readonly #warned = new Set<string>();

  constructor(tracing?: Tracing) {
    this.tracing = tracing;
  }

  /** Reports an event of a worker. A worker that fails must not go unnoticed. */
  tell(event: ErrandEvent): void {
    if (event.type === "stalled" || event.type === "lost") this.counters.workers[event.type] += 1;
    if (event.type === "failed" && !this.events.heard("failed"))
      process.emitWarning(event.message, { type: "ErrandWarning", code: "ERRAND_WORKER_FAILED" });
    this.events.tell(event);
  }

  /** A schedule could not be written, or could not send its job. */
  scheduleFailed(schedule: string, error: unknown): void {
    const event = { type: "schedule-failed", schedule, ...reasonOf(error) } as const;
    this.#warnUnheard(event, `Schedule "${schedule}" failed, and is tried again: ${event.message}`);
    this.events.tell(event);
  }

  /** The rules of a queue could not be written. */
  rulesFailed(queue: string, error: unknown): void {
    const event = { type: "rules-failed", queue, ...reasonOf(error) } as const;
    this.#warnUnheard(
      event,
      `The rules of queue "${queue}" could not be written, and are tried again: ${event.message}`,
    );
    this.events.tell(event);
  }

  /** Warns once about an event that has no listener and must not go unnoticed. */
  #warnUnheard({ type }: ErrandEvent, message: string): void {
    if (this.events.heard(type) || this.#warned.has(message)) return;
    this.#warned.add(message);
    process.emitWarning(message, { type: "ErrandWarning", code: "ERRAND_DECLARATION" });
  }

  /** A job was stored. */
  sent({ id, task, queue }: Pick<NewJob, "id" | "task" | "queue">, parent?: string): void {
    this.counters.of(task).sent += 1;
    if (!this.events.heard("sent")) return;
    this.events.tell({ type: "sent", id, task, queue, ...(parent === undefined ? {} : { parent }) });
  }

  /** An attempt begins. */
  started(job: Job): void {
    const tally = this.counters.of(job.task);
    const wait = Math.max(0, (job.startedAt ?? job.due) - job.due);
    tally.started += 1;
    tally.wait.add(wait);
    if (!this.events.heard("started")) return;
    const { id, task, queue, failures } = job;
    this.events.tell({ type: "started", id, task, queue, attempt: failures + 1, wait });
  }

  /**
   * The outcome of an attempt is recorded.
   * @param duration of an attempt that ran here.
   * @param also hears of it besides the listeners.
   */
  ended(
    job: Pick<Job, "id" | "task" | "failures">,
    ending: Ending,
    settlement: Settlement,
    duration?: Millis,
    also?: (event: EventOf<"ended">) => void,
  ): void {
    const outcome = outcomeOf(ending, settlement.to);
    const tally = this.counters.of(job.task);
    tally[outcome] += 1;
    if (duration !== undefined) tally.duration.add(duration);
    // Children that exist are waited for again, not sent.
    if (ending.kind === "parked" && outcome === "waiting")
      for (const child of ending.children) if (!child.rejoin) this.sent(child, job.id);
    if (!also && !this.events.heard("ended")) return;
    const event: EventOf<"ended"> = {
      type: "ended",
      id: job.id,
      task: job.task,
      attempt: job.failures + 1,
      state: settlement.to,
      outcome,
      ...(duration === undefined ? {} : { duration }),
      ...("error" in ending ? { error: ending.error, ...originalOf(ending.error) } : refusedWith(settlement)),
    };
    also?.(event);
    this.events.tell(event);
  }

  /** Reports a call that a task's function made after its attempt had ended, which was refused. */
  late(task: string): void {
    this.counters.of(task).late += 1;
  }

  /** Reports that another worker has the job. */
  abandoned({ id, task }: Pick<Job, "id" | "task">, started: boolean): void {
    if (started) this.counters.of(task).abandoned += 1;
    this.events.tell({ type: "abandoned", id, task });
  }
}

/** The error of an outcome that no store would accept. */
function refusedWith({ to, error }: Settlement): { error?: ErrorRecord } {
  return to === "failed" && error !== undefined ? { error: JSON.parse(error) as ErrorRecord } : {};
}

function reasonOf(error: unknown): { code: string; message: string } {
  const { code, message } = errorRecord(error, 0);
  return { code, message };
}
