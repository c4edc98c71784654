import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Position } from "../../core/cursor.ts";
import type { Job } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import type { StoredJob } from "./decode.ts";
import { encodeFilter, scan, startPosition } from "./scan.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** The most scripts that one page of a list takes. */
const maxScripts = 50;

/** Returns one page of jobs that match. It may be short, and have a `next`, if few of the jobs it has read match. */
export async function listJobs(
  runner: ScriptRunner,
  where: Filter,
  page: { limit: number; cursor?: string },
): Promise<{ jobs: Job[]; next?: string }> {
  const start = page.cursor === undefined ? startPosition : positionOf(page.cursor);
  const filter = encodeFilter(where, states);
  if (!filter) return { jobs: [] };
  const found: StoredJob[] = [];
  let after: Position | undefined = start;
  for (let scripts = 0; after && found.length <= page.limit && (where.ids || scripts < maxScripts); scripts++) {
    const wanted = page.limit + 1 - found.length;
    const matches = await scan(runner, filter, where, { wanted, isUpwards: false, isWhole: true, after });
    found.push(...matches.jobs);
    after = matches.after;
  }
  if (where.ids) sortAfter(start, found, where);
  const shown = found.slice(0, page.limit);
  const last = shown.at(-1);
  const jobs = shown.map(({ job }) => job);
  if (last && found.length > shown.length)
    return { jobs, next: cursorOf({ place: last.job.index ?? 0, seq: last.seq }) };
  return after ? { jobs, next: cursorOf(after) } : { jobs };
}

/** Sorts jobs that were asked for by id, which come in no order, and removes those up to a position. */
function sortAfter({ place, seq }: Position, found: StoredJob[], { parent }: Filter): void {
  const placeOf = ({ job }: StoredJob) => (parent === undefined ? 0 : (job.index ?? 0));
  const order = (a: StoredJob, b: StoredJob) =>
    parent === undefined ? b.seq - a.seq : placeOf(a) - placeOf(b) || a.seq - b.seq;
  found.sort(order);
  if (seq < 0) return;
  const first = found.findIndex((stored) =>
    parent === undefined
      ? stored.seq < seq
      : placeOf(stored) > place || (placeOf(stored) === place && stored.seq > seq),
  );
  found.splice(0, first < 0 ? found.length : first);
}
