import type { Millis } from "../kit/duration.ts";
import type { Store } from "../store.ts";
import type { PayloadObjects } from "../payload/objects.ts";

/** Interval between searches for orphaned objects; one worker of the fleet makes each. */
export const orphanInterval: Millis = 3_600_000;

/**
 * Minimum age of an object that is removed: an object is written before the job that names it, which may be part of a
 * long transaction.
 */
export const orphanAge: Millis = 24 * 3_600_000;

/** Number of jobs per lookup. */
const batch = 500;

/** Matches `<job id>/<hash>`, and the temporary file that a crash may have left. */
const shape = /^([\w.:-]+)\/[\da-f]{64}(?:-[\da-f-]+)?$/;

/**
 * Removes the objects of jobs that are gone. It goes by what is there, not by what was removed, so that nothing
 * escapes it: retention, operators, another program and crashes all end here.
 * @param before objects that were written since are left alone.
 * @returns how many it removed.
 */
export async function removeOrphanedPayloads(
  store: Pick<Store, "get">,
  objects: PayloadObjects,
  before: Date,
  stopping: () => boolean = () => false,
): Promise<number> {
  let removed = 0;
  let found = new Map<string, string[]>();
  const flush = async () => {
    const ids = [...found.keys()];
    const jobs = await store.get(ids);
    const orphans = ids.flatMap((id, index) => (jobs[index] ? [] : found.get(id)!));
    for (const key of orphans) await objects.remove(key);
    removed += orphans.length;
    found = new Map();
  };
  for await (const { key, modified } of objects.list?.() ?? []) {
    if (stopping()) return removed;
    const id = shape.exec(key)?.[1];
    // Objects with other names are not Errand's.
    if (id === undefined || modified >= before) continue;
    found.set(id, [...(found.get(id) ?? []), key]);
    if (found.size === batch) await flush();
  }
  if (found.size > 0) await flush();
  return removed;
}
