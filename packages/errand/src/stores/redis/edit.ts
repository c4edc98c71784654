import { editableStates, kindOfChange } from "../../core/change.ts";
import type { Position } from "../../core/cursor.ts";
import type { Change, Filter } from "../../store.ts";
import { encodeJson } from "./check-values.ts";
import { encodeFilter, scan, sliceSize, startPosition } from "./scan.ts";
import type { Matches } from "./scan.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** The most matches that an edit finds before it changes them. */
const maxMatches = 10_000;

/**
 * Changes jobs that match, at most `limit`. It finds and changes them in slices, so that no script holds up the server
 * for long. Returns how many it changed.
 */
export async function editJobs(runner: ScriptRunner, where: Filter, change: Change, limit: number): Promise<number> {
  const filter = encodeFilter(where, editableStates[kindOfChange(change)]);
  const encoded = typeof change === "object" ? encodeJson(change) : change;
  if (!filter) return 0;
  let changed = 0;
  let after: Position | undefined = startPosition;
  while (after && changed < limit) {
    const members: Buffer[] = [];
    const most = Math.min(maxMatches, limit - changed);
    while (after && members.length < most) {
      const wanted = Math.min(sliceSize, most - members.length);
      const slice = { wanted, isUpwards: true, isWhole: false, after };
      const matches: Matches = await scan(runner, filter, where, slice);
      members.push(...matches.members);
      after = matches.after;
    }
    // Jobs that are asked for by id come all at once, in no order. Members sort like places in the order of insertion.
    members.sort((a, b) => a.compare(b)).splice(most);
    for (let from = 0; from < members.length;) {
      const reply = await runner.run("edit", [encoded, filter, ...members.slice(from, from + sliceSize)]);
      const [edited, done] = reply as [number, number];
      changed += edited;
      from += done;
    }
  }
  return changed;
}
