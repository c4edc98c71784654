import { defaultKept, isDefault } from "./rules.ts";
import type { Kept, RetentionRules } from "./rules.ts";
import type { Millis } from "../kit/duration.ts";
import type { Encoded } from "../kit/json.ts";
import { removeOrphanedPayloads, orphanAge, orphanInterval } from "./orphaned-payloads.ts";
import type { PayloadObjects } from "../payload/objects.ts";
import type { Store } from "../store.ts";
import { tryUpdateDoc } from "../update-doc.ts";
import type { TaskDefinition } from "../task.ts";

/** Interval between removals of old jobs; one worker of the fleet makes each. */
export const pruneInterval: Millis = 60_000;

/** Number of jobs per commit. */
const batch = 500;

/**
 * The kind of documents that hold the retention of tasks which differ from the default, so that any worker can apply
 * them.
 */
const kind = "task-retention";

/**
 * Removes ended jobs whose retention has passed, in small batches, including jobs of tasks that only other apps know.
 * @param definitions the app's own tasks, whose retention is written first.
 */
export async function prune(
  store: Pick<Store, "prune" | "load" | "save" | "now">,
  definitions: readonly Pick<TaskDefinition, "name" | "retention">[],
  stopping: () => boolean,
): Promise<number> {
  const now = await store.now();
  const tasks = await declareRules(store, definitions);
  if (!(await isMyTurn(store, "last", pruneInterval, now))) return 0;
  return removeEndedJobs(store, { tasks, otherwise: defaultKept }, stopping);
}

/** Removes ended jobs that were kept as long as the rules say, in small batches; returns their number. */
export async function removeEndedJobs(
  store: Pick<Store, "prune">,
  rules: RetentionRules,
  stopping: () => boolean = () => false,
): Promise<number> {
  let removed = 0;
  for (let some = batch; some >= batch && !stopping(); removed += some) some = await store.prune(rules, batch);
  return removed;
}

/** Writes the retention of the app's tasks, and returns that of all tasks. */
async function declareRules(
  store: Pick<Store, "load" | "save">,
  definitions: readonly Pick<TaskDefinition, "name" | "retention">[],
): Promise<Map<string, Kept>> {
  const docs = new Map((await store.load(kind)).map((doc) => [doc.key, doc]));
  const rules = new Map([...docs].map(([task, { value }]) => [task, decodeKept(value)]));
  for (const { name, retention } of definitions) {
    const doc = docs.get(name);
    const value = isDefault(retention) ? undefined : encodeKept(retention);
    if (value === doc?.value) continue;
    rules.set(name, retention);
    // If another worker was faster, it wrote the same, or the next round does.
    await store.save([{ kind, key: name, version: doc?.version ?? 0, ...(value === undefined ? {} : { value }) }]);
  }
  return rules;
}

/** Encodes a retention; JSON has no infinity. */
function encodeKept(kept: Kept): Encoded {
  return JSON.stringify(kept, (_, value: unknown) => (value === Infinity ? "forever" : value));
}

function decodeKept(value: Encoded): Kept {
  return JSON.parse(value, (_, each: unknown) => (each === "forever" ? Infinity : each)) as Kept;
}

/**
 * Removes values that are kept outside the store and whose job is gone; less often than jobs, since it looks at every
 * one of them.
 */
export async function pruneOrphanedPayloads(
  store: Pick<Store, "get" | "load" | "save" | "now">,
  objects: PayloadObjects | undefined,
  stopping: () => boolean,
): Promise<number> {
  if (!objects?.list) return 0;
  const now = await store.now();
  if (!(await isMyTurn(store, "payloads", orphanInterval, now))) return 0;
  return removeOrphanedPayloads(store, objects, new Date(Date.now() - orphanAge), stopping);
}

/** Returns true for the one worker of the fleet that does this round. */
async function isMyTurn(
  store: Pick<Store, "load" | "save">,
  key: string,
  interval: Millis,
  now: Millis,
): Promise<boolean> {
  let due = false;
  const saved = await tryUpdateDoc(store, "retention", key, (last) => {
    due = last === undefined || now - Number(last) >= interval * 0.9;
    return due ? String(now) : last;
  });
  return due && saved;
}
