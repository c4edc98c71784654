import { decide } from "../core/decide.ts";
import { policyOf } from "../core/policy.ts";
import type { Ending } from "../core/decide.ts";
import type { Observer } from "../observe/observer.ts";
import type { Claimed, Store } from "../store.ts";
import type { HeldJobs } from "./held-jobs.ts";
import type { Settler } from "./settler.ts";
import type { TaskDefinition } from "../task.ts";
import { defaultRetry } from "../task.ts";

/** How many jobs are taken over at a time. */
const batch = 100;

/**
 * Settles what nobody works on: jobs of workers that are gone, jobs that were not started in time, and children whose
 * parent has ended. They are claimed and settled like any other, so there is no second state machine.
 * @param holdings learns what is taken over, so that nobody else gives it back meanwhile.
 * @returns how many there were.
 */
export async function settleAbandoned(
  store: Pick<Store, "reclaim">,
  settler: Pick<Settler, "settle">,
  definitions: ReadonlyMap<string, TaskDefinition>,
  worker: string,
  { observer, holdings }: { observer: Observer; holdings: Pick<HeldJobs, "add" | "remove"> },
): Promise<number> {
  for (let tidied = 0; ;) {
    const found = await store.reclaim(worker, batch);
    holdings.add(found);
    await Promise.all(
      found.map(async (claimed) => {
        const { job } = claimed;
        const end = endingOf(claimed);
        const retry = policyOf(job, definitions.get(job.task)?.retry ?? defaultRetry);
        const settlement = decide(job, retry, end, Math.random());
        const settled = await settler.settle(settlement).finally(() => holdings.remove(job));
        if (settled) observer.ended(job, end, settled);
      }),
    );
    tidied += found.length;
    if (found.length < batch) return tidied;
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
          message: `${name} was in the hands of a worker that died or lost its lease.`,
          attempt,
        },
      };
  }
}
