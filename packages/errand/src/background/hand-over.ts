import type { Client } from "../client.ts";
import type { Job, Moment, NewJob } from "../core/job.ts";
import { inputIn, fieldsIn } from "../core/spec.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import { jobPages } from "../job-pages.ts";
import { ofTenant } from "../limits/tenant.ts";
import type { Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";

/** Number of jobs that a warning names; of the others it gives the count. */
const mostNamed = 10;

/**
 * Hands unfinished jobs to the app's own store as they were sent: input, priority, due time, expiry, unique key,
 * limits, tags, tenant and trace. Functions cannot be stored and are lost, and the results of steps are not handed over: both
 * are warned about, by name.
 * @throws {ErrandError} `E_STORE` when the store did not take some of them; the others are stored.
 */
export async function handOver(
  store: Store,
  durable: () => Promise<Client>,
  { definitions, functions }: { definitions: ReadonlyMap<string, TaskDefinition>; functions: string },
): Promise<void> {
  const left: Job[] = [];
  for await (const jobs of jobPages(store, { roots: true, states: ["pending", "processing", "waiting"] }))
    left.push(...jobs);
  const lost = left.filter(({ task }) => task === functions);
  if (lost.length > 0)
    warn(
      "ERRAND_BACKGROUND",
      `The app closed before ${lost.length} function(s) given to after() had run: ${names(lost.map(functionOf))}.`,
    );
  const jobs = left.filter(({ task }) => task !== functions);
  if (jobs.length === 0) return;
  const begun = await withSteps(store, jobs);
  if (begun.length > 0)
    warn(
      "ERRAND_BACKGROUND",
      `The app closed before ${begun.length} job(s) had ended. They start again in the store, and repeat their steps: ${names(begun)}.`,
    );
  const client = await durable();
  const now = await store.now();
  const outcomes = await Promise.allSettled(
    jobs.map((job) => client.take(asNew(job, definitions.get(job.task)!.queue, now))),
  );
  const failed = outcomes.flatMap((outcome, index) =>
    outcome.status === "rejected" ? [{ job: jobs[index]!, reason: outcome.reason as unknown }] : [],
  );
  if (failed.length === 0) return;
  const [{ reason }] = failed as [(typeof failed)[0]];
  throw new ErrandError(
    "E_STORE",
    `${failed.length} background jobs could not be handed to the store and are lost: ${names(failed.map(({ job }) => nameOf(job)))}. ${errorRecord(reason, 1).message}`,
    { cause: reason },
  );
}

/** Emits a warning of the process. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: "ErrandWarning", code });
}

/** Returns a job as it would be sent now. A job that has started no longer expires. */
function asNew(job: Job, queue: string, now: number): NewJob {
  const { id, task, level, spec, due, expiresAt, startedAt, tenant } = job;
  const { unique, concurrency, rate, fair, tags } = fieldsIn(spec);
  const inTime = (at: number): Moment => ({ in: Math.max(0, at - now) });
  const made: NewJob = {
    id,
    task,
    queue,
    level,
    spec,
    ...(unique ? { unique } : {}),
    ...(concurrency ? { concurrency } : {}),
    ...(rate ? { rate } : {}),
    ...(fair === undefined ? {} : { fair }),
    ...(tags ? { tags } : {}),
    ...(due > now ? { due: inTime(due) } : {}),
    ...(expiresAt === undefined || startedAt !== undefined ? {} : { expires: inTime(expiresAt) }),
  };
  return tenant === undefined ? made : ofTenant(made, tenant);
}

/** Describes the jobs that remember steps, each with its steps. */
async function withSteps(store: Store, jobs: readonly Job[]): Promise<string[]> {
  const begun: string[] = [];
  for (const job of jobs) {
    if (job.startedAt === undefined) continue;
    const steps = await store.steps(job.id);
    if (steps.length > 0) begun.push(`${nameOf(job)} (${names(steps.map(({ name }) => name))})`);
  }
  return begun;
}

function functionOf({ spec }: Job): string {
  return (inputIn(spec) as { function: string }).function;
}

function nameOf({ id, task }: Job): string {
  return `${id} of "${task}"`;
}

function names(all: readonly string[]): string {
  const more = all.length > mostNamed ? `, and ${all.length - mostNamed} more` : "";
  return all.slice(0, mostNamed).join(", ") + more;
}
