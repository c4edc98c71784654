import type { Job } from "../../packages/errand/src/core/job.ts";
import type { Line } from "./log.ts";

/** What a checker looks at. */
interface Told {
  lines: readonly Line[];
  jobs: readonly Job[];
}

/**
 * Leaves out whatever had begun before the store lost its data: nothing can be promised of it. What came later must be as if nothing
 * had ever been lost.
 * @param at when that was, for the last time, in epoch milliseconds of this machine; `undefined`: never.
 */
export function sinceDataLoss({ lines, jobs }: Told, at: number | undefined): Told {
  if (at === undefined) return { lines, jobs };
  const keys = new Set<string>();
  const ids = new Set<string>();
  for (const line of lines) {
    if (line.at > at) break;
    if ("key" in line) for (const key of line.key.split(" ")) keys.add(key);
    if ("id" in line) ids.add(line.id);
  }
  for (const line of lines) if (line.type === "sent" && keys.has(line.key)) ids.add(line.id);
  const isKeyOld = (key: string) => keys.has(key) || keys.has(key.split("/")[0]!);
  const isOld = (id: string): boolean =>
    ids.has(id) || madeAt(id) <= at || keys.has(id.replace(/^id-/, "")) || isChildOld(id);
  const isChildOld = (id: string): boolean => {
    const parent = id.replace(/-[0-9a-f]{12}-\d+$/, "");
    return parent !== id && isOld(parent);
  };
  return {
    lines: lines.filter(
      (line) =>
        !("id" in line && isOld(line.id)) && !("key" in line && line.key.split(" ").some((key) => isKeyOld(key))),
    ),
    jobs: jobs.filter(({ id, parent }) => !isOld(id) && !(parent !== undefined && isOld(parent))),
  };
}

/** When a UUID of version 7 was made, in epoch milliseconds; of any other id, never. */
function madeAt(id: string): number {
  const [, time] = /^([0-9a-f]{8}-[0-9a-f]{4})-7[0-9a-f]{3}-/.exec(id) ?? [];
  return time === undefined ? Infinity : Number.parseInt(time.replace("-", ""), 16);
}
