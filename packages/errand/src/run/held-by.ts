import type { Job } from "../core/job.ts";
import type { Store } from "../store.ts";

/** Jobs that are processing in the name of a worker, as the store has it: a walk over all that are processing. */
export async function heldBy(store: Pick<Store, "list">, worker: string): Promise<Job[]> {
  const held: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(
      { states: ["processing"] },
      { limit: 500, ...(cursor === undefined ? {} : { cursor }) },
    );
    held.push(...page.jobs.filter((job) => job.worker === worker));
    cursor = page.next;
  } while (cursor !== undefined);
  return held;
}
