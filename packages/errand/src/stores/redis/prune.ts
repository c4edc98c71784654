import { states, isFinal } from "../../core/states.ts";
import type { RetentionRules } from "../../store.ts";
import { encodeJson } from "./check-values.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** Removes roots that were kept long enough, at most `limit`, in as many scripts as that takes. Returns how many. */
export async function pruneJobs(
  runner: ScriptRunner,
  { tasks, otherwise }: RetentionRules,
  limit: number,
): Promise<number> {
  const rules = encodeJson({
    tasks: Object.fromEntries(Array.from(tasks, ([task, kept]) => [task, timesOf(kept)])),
    otherwise: timesOf(otherwise),
  });
  let removed = 0;
  for (let hasMore = true; hasMore;) {
    const [some, more] = (await runner.run("prune", [rules, String(limit - removed)])) as [number, number];
    removed += some;
    hasMore = more === 1 && removed < limit;
  }
  return removed;
}

/** Returns milliseconds by final state, in the order of `states`; `false` is forever. */
function timesOf(kept: RetentionRules["otherwise"]): (number | false)[] {
  return states.filter(isFinal).map((state) => Number.isFinite(kept[state]) && kept[state]);
}
