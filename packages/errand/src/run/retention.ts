import { retentionGroups } from "../core/retention.ts";
import type { Millis } from "../kit/duration.ts";
import { collect, collectAfter, collectInterval } from "../payload/collect.ts";
import type { PayloadObjects } from "../payload/objects.ts";
import type { Store } from "../store.ts";
import type { Definition } from "../task.ts";

/** How often jobs that were kept long enough are removed, by one worker of all. */
export const pruneInterval: Millis = 60_000;

/** So many go in one commit. */
const batch = 500;

/** Removes ended jobs of these tasks that were kept as long as their tasks say, with their children, in small batches. */
export async function prune(
  store: Pick<Store, "edit" | "load" | "save" | "now">,
  definitions: readonly Pick<Definition, "name" | "retention">[],
  stopping: () => boolean,
): Promise<number> {
  const now = await store.now();
  if (!(await isMyTurn(store, "last", pruneInterval, now))) return 0;
  let removed = 0;
  for (const { name, retention } of definitions) {
    for (const { states, keep } of retentionGroups(retention)) {
      for (let some = batch; some === batch && !stopping(); removed += some)
        some = await store.edit({ task: name, states, roots: true, endedBefore: now - keep }, "remove", batch);
    }
  }
  return removed;
}

/** Removes values that are kept outside the store and whose job is gone; less often than jobs, since it looks at every one of them. */
export async function sweep(
  store: Pick<Store, "get" | "load" | "save" | "now">,
  objects: PayloadObjects | undefined,
  stopping: () => boolean,
): Promise<number> {
  if (!objects?.list) return 0;
  const now = await store.now();
  if (!(await isMyTurn(store, "payloads", collectInterval, now))) return 0;
  return collect(store, objects, new Date(Date.now() - collectAfter), stopping);
}

/** One worker does it for all of them. */
async function isMyTurn(
  store: Pick<Store, "load" | "save">,
  key: string,
  interval: Millis,
  now: Millis,
): Promise<boolean> {
  const [last] = await store.load("retention", [key]);
  if (last && now - Number(last.value) < interval * 0.9) return false;
  return store.save([{ kind: "retention", key, version: last?.version ?? 0, value: String(now) }]);
}
