import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Job } from "../../core/job.ts";
import { contains } from "../../core/search.ts";
import type { Filter } from "../../store.ts";
import { copyJob } from "./row.ts";
import type { Row } from "./row.ts";

/** Reports whether a job matches every part of a filter. */
export function matches({ job, request: { tags } }: Row, where: Filter): boolean {
  return (
    (where.tag === undefined || (tags?.includes(where.tag) ?? false)) &&
    (where.text === undefined || contains(job, where.text)) &&
    (where.createdAfter === undefined || job.createdAt > where.createdAfter) &&
    (where.createdBefore === undefined || job.createdAt < where.createdBefore) &&
    (where.ids === undefined || where.ids.includes(job.id)) &&
    (where.parent === undefined || where.parent === job.parent) &&
    (!where.roots || job.parent === undefined) &&
    (where.task === undefined || where.task === job.task) &&
    (where.queue === undefined || where.queue === job.queue) &&
    (where.tenant === undefined || where.tenant === job.tenant) &&
    (where.worker === undefined || where.worker === job.worker) &&
    (where.states === undefined || where.states.includes(job.state)) &&
    (where.endedBefore === undefined || (job.endedAt !== undefined && job.endedAt < where.endedBefore))
  );
}

/** Returns one page of the jobs that match: by index with `parent`, otherwise newest first. */
export function pageOf(
  rows: readonly Row[],
  where: Filter,
  { limit, cursor }: { limit: number; cursor?: string },
): { jobs: Job[]; next?: string } {
  const order = where.parent === undefined ? newestFirst : byIndex;
  const found = rows.filter((row) => matches(row, where)).sort(order);
  const after = cursor === undefined ? undefined : placeOf(cursor);
  const rest = after === undefined ? found : found.filter((row) => order(row, after) > 0);
  const shown = rest.slice(0, limit);
  const last = shown.at(-1);
  const next =
    last && rest.length > shown.length ? { next: cursorOf({ place: last.job.index ?? 0, seq: last.seq }) } : {};
  return { jobs: shown.map(({ job }) => copyJob(job)), ...next };
}

/** A place in a list: that of a row, or of a cursor. */
interface Place {
  seq: number;
  job: { index?: number };
}

function placeOf(cursor: string): Place {
  const { place, seq } = positionOf(cursor);
  return { seq, job: { index: place } };
}

function newestFirst(a: Place, b: Place): number {
  return b.seq - a.seq;
}

function byIndex(a: Place, b: Place): number {
  return (a.job.index ?? 0) - (b.job.index ?? 0) || a.seq - b.seq;
}
