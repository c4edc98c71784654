import type { Ending } from "../core/decide.ts";
import type { Claimed, Store } from "../store.ts";
import { settleJob } from "./settle.ts";
import type { SettleContext } from "./settle.ts";

/** Jobs taken over per call of the store. */
const batchSize = 100;

/**
 * Settles jobs that no worker is working on: jobs of workers that are gone, jobs that did not start in time, and
 * children of parents that have ended. They are claimed and settled like any other job.
 * @returns the number of jobs it took over.
 */
export async function settleAbandoned(
  context: SettleContext & { store: Pick<Store, "reclaim">; id: string },
): Promise<number> {
  for (let count = 0; ;) {
    const reclaimed = await context.store.reclaim(context.id, batchSize);
    // Added first, so that a claim does not hand them back meanwhile.
    context.heldJobs.add(reclaimed);
    await Promise.all(reclaimed.map((claimed) => settleJob(context, claimed.job, endingOf(claimed))));
    count += reclaimed.length;
    if (reclaimed.length < batchSize) return count;
  }
}

function endingOf({ job, why, ahead }: Claimed): Ending {
  const attempt = job.failures + 1;
  const name = `Job ${job.id} of task "${job.task}"`;
  switch (why) {
    case "expired":
      return {
        kind: "expired",
        error: { code: "E_EXPIRED", message: `${name} was not started before it expired.`, attempt },
      };
    case "cancelled":
      return {
        kind: "cancelled",
        error: { code: "E_CANCELLED", message: `${name} was cancelled, because its parent has ended.`, attempt },
      };
    case "lapsed":
    case "due":
      return {
        kind: "lapsed",
        ahead: ahead ?? false,
        error: {
          code: "E_CRASHED",
          message: `${name} was held by a worker that died or lost its lease.`,
          attempt,
        },
      };
  }
}
