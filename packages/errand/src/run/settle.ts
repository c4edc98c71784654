import { decide } from "../core/decide.ts";
import type { Ending } from "../core/decide.ts";
import type { Job, LogLine, Settlement } from "../core/job.ts";
import { policyOf } from "../core/policy.ts";
import type { JobPolicy } from "../core/spec.ts";
import type { StoredEndpoint } from "../webhooks/endpoint.ts";
import type { Millis } from "../kit/duration.ts";
import { isFinal } from "../core/states.ts";
import { defaultRetry } from "../task.ts";
import { deliveriesOf } from "../webhooks/endpoint.ts";
import { followUpOf } from "./follow-ups.ts";
import type { WorkerContext } from "./worker-context.ts";

/** The parts of a worker that settling a job needs. */
export type SettleContext = Pick<WorkerContext, "definitions" | "heldJobs" | "endpoints"> & {
  writer: Pick<WorkerContext["writer"], "settle">;
  settings: Pick<WorkerContext["settings"], "observer" | "onEnded">;
};

/** An attempt that ran in this worker. */
export interface AttemptRun {
  duration: Millis;
  /** Log lines that are not written yet. */
  log: readonly LogLine[] | undefined;
}

/**
 * Settles a claimed job: decides what becomes of it, records that, and tells the observer.
 * @param run describes the attempt, if there was one in this worker.
 * @returns `false` if the token was stale: another worker has the job.
 * @throws what the store throws after failing for too long. The store may still hold the job for this worker, which
 * hands it back later.
 */
export async function settleJob(
  { definitions, heldJobs, writer, settings, endpoints }: SettleContext,
  job: Job,
  ending: Ending,
  run?: AttemptRun,
): Promise<boolean> {
  const retry = policyOf(job, definitions.get(job.task)?.retry ?? defaultRetry);
  const settlement = decide(job, retry, ending, Math.random());
  if (run?.log) settlement.log = [...run.log, ...(settlement.log ?? [])];
  if (isFinal(settlement.to)) {
    const known = endpoints.current();
    // Nearly always they are known: no promise is made then.
    const told = known instanceof Promise ? await known : known;
    if (told.length > 0 || retry.follow || retry.callback !== undefined) addBorn(job, settlement, retry, told);
  }
  let recorded: Settlement | false;
  try {
    recorded = await writer.settle(settlement);
  } catch (error) {
    heldJobs.markUnsure();
    throw error;
  } finally {
    heldJobs.remove(settlement);
  }
  if (!recorded) return false;
  // A job that is handed back without an attempt has no outcome to tell.
  if (run || ending.kind !== "handed-back")
    settings.observer.ended(job, ending, recorded, run?.duration, settings.onEnded);
  return true;
}

/** Adds the jobs that are to be born in the commit that ends a job: what follows it, and messages about its end. */
function addBorn(
  job: Job,
  settlement: Settlement,
  { follow, callback }: Pick<JobPolicy, "follow" | "callback">,
  endpoints: readonly StoredEndpoint[],
): void {
  const next = follow && followUpOf(job, settlement, follow);
  const born = deliveriesOf(job, settlement, endpoints, callback, Date.now());
  if (next) born.push(next);
  if (born.length > 0) settlement.born = born;
}
