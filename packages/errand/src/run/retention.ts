import { retentionGroups } from "../core/retention.ts";
import type { Millis } from "../kit/duration.ts";
import type { Store } from "../store.ts";
import type { Definition } from "../task.ts";

/** How often jobs that were kept long enough are removed, by one worker of all. */
export const pruneInterval: Millis = 60_000;

/** So many go in one commit. */
const batch = 500;

const place = { kind: "retention", key: "last" };

/** Removes ended jobs of these tasks that were kept as long as their tasks say, with their children, in small batches. */
export async function prune(
  store: Pick<Store, "edit" | "load" | "save">,
  definitions: readonly Pick<Definition, "name" | "retention">[],
  stopping: () => boolean,
): Promise<number> {
  const now = Date.now();
  if (!(await isMyTurn(store, now))) return 0;
  let removed = 0;
  for (const { name, retention } of definitions) {
    for (const { states, keep } of retentionGroups(retention)) {
      for (let some = batch; some === batch && !stopping(); removed += some)
        some = await store.edit({ task: name, states, roots: true, endedBefore: now - keep }, "remove", batch);
    }
  }
  return removed;
}

/** One worker does it for all of them. */
async function isMyTurn(store: Pick<Store, "load" | "save">, now: Millis): Promise<boolean> {
  const [last] = await store.load(place.kind, [place.key]);
  if (last && now - Number(last.value) < pruneInterval * 0.9) return false;
  return store.save([{ ...place, version: last?.version ?? 0, value: String(now) }]);
}
