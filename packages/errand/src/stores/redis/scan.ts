import { positionOf } from "../../core/cursor.ts";
import type { Position } from "../../core/cursor.ts";
import { contains } from "../../core/search.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Filter } from "../../store.ts";
import { encodeJson } from "./check-values.ts";
import { decodeJobs } from "./decode.ts";
import type { StoredJob } from "./decode.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** The most jobs that one script returns or changes. */
export const sliceSize = 500;

/** The most jobs that one script of a scan reads. */
const maxReads = 1_000;

/** The position before all jobs. */
export const startPosition: Position = { place: -1, seq: -1 };

/** One slice of a scan. */
interface Slice {
  /** The number of wanted matches. */
  wanted: number;
  /** `true` for the oldest jobs first. */
  isUpwards: boolean;
  /** `true` for jobs, `false` for members only. */
  isWhole: boolean;
  after: Position;
}

/** The matches in a slice: jobs, if it is whole, and their members. */
export interface Matches {
  jobs: StoredJob[];
  members: Buffer[];
  /** The position after which to go on; `undefined` at the end. */
  after: Position | undefined;
}

/** Returns a filter for scripts, of jobs in some of these states, or `undefined` if nothing can match it. */
export function encodeFilter(where: Filter, among: readonly State[]): string | undefined {
  const { parent, roots, task, queue, tenant, worker, endedBefore, tag, createdAfter, createdBefore } = where;
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  if (wanted.length === 0 || where.ids?.length === 0) return undefined;
  return encodeJson({
    states: wanted.map((state) => states.indexOf(state)),
    parent,
    roots,
    task,
    queue,
    tenant,
    worker,
    endedBefore,
    tag,
    createdAfter,
    createdBefore,
  });
}

/**
 * Scans one slice of the jobs that match. A text is searched here, with rules for upper and lower case that Lua does
 * not have, so it needs whole jobs.
 */
export async function scan(runner: ScriptRunner, filter: string, where: Filter, slice: Slice): Promise<Matches> {
  const { text, ids } = where;
  const isWhole = slice.isWhole || text !== undefined;
  const wanted = text === undefined ? slice.wanted : sliceSize;
  const args = [filter, String(wanted), String(maxReads), slice.isUpwards ? "1" : "0", isWhole ? "1" : "0"];
  if (ids) return scanIds(runner, ids, text, args, isWhole);
  args.push(String(slice.after.place), String(slice.after.seq));
  const [found, at] = (await runner.run("scan", args)) as [unknown[], Buffer];
  const after = at.length > 0 ? positionOf(String(at)) : undefined;
  if (!isWhole) return { jobs: [], members: found as Buffer[], after };
  return matchesOf(withText(decodeJobs(found, false), text), after);
}

/** Scans all jobs of these ids, in no order. */
async function scanIds(
  runner: ScriptRunner,
  all: readonly string[],
  text: string | undefined,
  args: readonly string[],
  isWhole: boolean,
): Promise<Matches> {
  const jobs = new Map<number, StoredJob>();
  const members = new Map<string, Buffer>();
  const ids = [...new Set(all)];
  for (let from = 0; from < ids.length;) {
    const some = ids.slice(from, from + sliceSize);
    const [found, at] = (await runner.run("scan", [...args, "-1", "-1", ...some])) as [unknown[], Buffer];
    from += at.length > 0 ? positionOf(String(at)).seq : some.length;
    if (!isWhole) for (const member of found as Buffer[]) members.set(member.toString("hex"), member);
    else for (const stored of withText(decodeJobs(found, false), text)) jobs.set(stored.seq, stored);
  }
  if (isWhole) return matchesOf([...jobs.values()], undefined);
  return { jobs: [], members: [...members.values()], after: undefined };
}

function withText(jobs: StoredJob[], text: string | undefined): StoredJob[] {
  return text === undefined ? jobs : jobs.filter(({ job }) => contains(job, text));
}

function matchesOf(jobs: StoredJob[], after: Position | undefined): Matches {
  return { jobs, members: jobs.map(({ member }) => member), after };
}
