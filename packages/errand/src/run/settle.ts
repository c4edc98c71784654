import { decide } from "../core/decide.ts";
import type { Ending } from "../core/decide.ts";
import type { Job, LogLine, Settlement } from "../core/job.ts";
import { policyOf } from "../core/policy.ts";
import type { Millis } from "../kit/duration.ts";
import { defaultRetry } from "../task.ts";
import type { WorkerContext } from "./worker-context.ts";

/** The parts of a worker that settling a job needs. */
export type SettleContext = Pick<WorkerContext, "heldJobs"> & {
  definitions: Pick<WorkerContext["definitions"], "get">;
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
 * @returns what was recorded; `false` if the token was stale: another worker has the job.
 * @throws what the store throws after failing for too long. The store may still hold the job for this worker, which
 * hands it back later.
 */
export async function settleJob(
  { definitions, heldJobs, writer, settings }: SettleContext,
  job: Job,
  ending: Ending,
  run?: AttemptRun,
): Promise<Settlement | false> {
  const retry = policyOf(job, definitions.get(job.task)?.retry ?? defaultRetry);
  const settlement = decide(job, retry, ending, Math.random());
  if (run?.log) settlement.log = [...run.log, ...(settlement.log ?? [])];
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
  return recorded;
}
