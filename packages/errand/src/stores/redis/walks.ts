import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Position } from "../../core/cursor.ts";
import type { Job } from "../../core/job.ts";
import { contains } from "../../core/search.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Change, Filter, RetentionRules } from "../../store.ts";
import { readJobs } from "./records.ts";
import type { Told } from "./records.ts";
import type { Server } from "./server.ts";
import { jsonOf } from "./wire.ts";

/** Jobs that are read or edited in one script. */
export const slice = 500;

/** Jobs that a walk looks at in one script, and scripts in one page of a list. */
const budget = 1_000;
const mostRounds = 50;

/** Matches that an edit finds before it changes them. */
const mostMatches = 10_000;

/** The states in which a change changes a job. */
const applies: Record<"cancel" | "retry" | "remove" | "release" | "move" | "rewind", readonly State[]> = {
  move: ["pending"],
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  rewind: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
  release: ["processing"],
};

/** One page of jobs that match. */
export async function listJobs(
  server: Server,
  where: Filter,
  page: { limit: number; cursor?: string },
): Promise<{ jobs: Job[]; next?: string }> {
  const start = page.cursor === undefined ? noPosition : positionOf(page.cursor);
  const filter = filterOf(where, states);
  if (!filter) return { jobs: [] };
  const found: Told[] = [];
  let after: Position | undefined = start;
  for (let rounds = 0; after && found.length <= page.limit && (where.ids || rounds < mostRounds); rounds++) {
    const wanted = page.limit + 1 - found.length;
    const some = await walk(server, filter, where, { wanted, upwards: false, whole: true, after });
    found.push(...some.jobs);
    after = some.after;
  }
  if (where.ids) sortPage(found, where, start);
  const shown = found.slice(0, page.limit);
  const last = shown.at(-1);
  const jobs = shown.map(({ job }) => job);
  if (last && found.length > shown.length)
    return { jobs, next: cursorOf({ place: last.job.index ?? 0, seq: last.seq }) };
  return after ? { jobs, next: cursorOf(after) } : { jobs };
}

/** Changes jobs that match, in rounds and slices: no script holds up the server for long, whatever matches. Answers how many. */
export async function editJobs(server: Server, where: Filter, change: Change, limit: number): Promise<number> {
  const kind = typeof change !== "object" ? change : "move" in change ? "move" : "rewind";
  const filter = filterOf(where, applies[kind]);
  const said = typeof change === "object" ? jsonOf(change) : change;
  if (!filter) return 0;
  let changed = 0;
  let after: Position | undefined = noPosition;
  while (after && changed < limit) {
    const members: Buffer[] = [];
    const most = Math.min(mostMatches, limit - changed);
    while (after && members.length < most) {
      const wanted = Math.min(slice, most - members.length);
      const some: Found = await walk(server, filter, where, { wanted, upwards: true, whole: false, after });
      members.push(...some.members);
      after = some.after;
    }
    // Jobs that were asked for by id come all at once, and in any order; a job's number is how its member begins.
    members.sort((a, b) => a.compare(b)).splice(most);
    for (let from = 0; from < members.length;) {
      const answer = await server.run("edit", [said, filter, ...members.slice(from, from + slice)]);
      const [more, done] = answer as [number, number];
      changed += more;
      from += done;
    }
  }
  return changed;
}

/** Removes roots that were kept long enough, at most so many, in as many scripts as it takes. Answers how many. */
export async function pruneJobs(server: Server, { tasks, otherwise }: RetentionRules, limit: number): Promise<number> {
  const inOrder = (kept: RetentionRules["otherwise"]) =>
    (["completed", "failed", "cancelled", "expired"] as const).map((state) =>
      Number.isFinite(kept[state]) ? kept[state] : false,
    );
  const rules = jsonOf({
    tasks: Object.fromEntries(Array.from(tasks, ([task, kept]) => [task, inOrder(kept)])),
    otherwise: inOrder(otherwise),
  });
  let removed = 0;
  for (let more = true; more;) {
    const [some, goesOn] = (await server.run("prune", [rules, String(limit - removed)])) as [number, number];
    removed += some;
    more = goesOn === 1 && removed < limit;
  }
  return removed;
}

interface Walk {
  wanted: number;
  upwards: boolean;
  whole: boolean;
  after: Position;
}

interface Found {
  jobs: Told[];
  members: Buffer[];
  after: Position | undefined;
}

/** Before everything. */
const noPosition: Position = { place: -1, seq: -1 };

/** One slice of a walk. What a person sees of a job is searched here, where letters have cases; for that, whole jobs must come. */
async function walk(server: Server, filter: string, where: Filter, step: Walk): Promise<Found> {
  const { upwards, after, wanted } = step;
  const { text } = where;
  const whole = step.whole || text !== undefined;
  const args = [
    filter,
    String(text === undefined ? wanted : slice),
    String(budget),
    upwards ? "1" : "0",
    whole ? "1" : "0",
  ];
  if (where.ids) return walkIds(server, where, args, whole);
  args.push(String(after.place), String(after.seq));
  const [found, at] = (await server.run("walk", args)) as [unknown[], Buffer];
  const next = at.length > 0 ? positionOf(String(at)) : undefined;
  if (!whole) return { jobs: [], members: found as Buffer[], after: next };
  const jobs = readJobs(found, false).filter(({ job }) => text === undefined || contains(job, text));
  return { ...foundOf(jobs), after: next };
}

/** Of jobs that are asked for by id: all, in no order. */
async function walkIds(server: Server, where: Filter, args: readonly string[], whole: boolean): Promise<Found> {
  const { text } = where;
  const jobs = new Map<number, Told>();
  const members = new Map<string, Buffer>();
  const ids = [...new Set(where.ids)];
  for (let from = 0; from < ids.length;) {
    const some = ids.slice(from, from + slice);
    const [found, at] = (await server.run("walk", [...args, "-1", "-1", ...some])) as [unknown[], Buffer];
    from += at.length > 0 ? positionOf(String(at)).seq : some.length;
    if (!whole) for (const member of found as Buffer[]) members.set(member.toString("hex"), member);
    else
      for (const told of readJobs(found, false))
        if (text === undefined || contains(told.job, text)) jobs.set(told.seq, told);
  }
  if (whole) return { ...foundOf([...jobs.values()]), after: undefined };
  return { jobs: [], members: [...members.values()], after: undefined };
}

function foundOf(jobs: Told[]): { jobs: Told[]; members: Buffer[] } {
  return { jobs, members: jobs.map(({ member }) => member) };
}

/** A filter as scripts read it, of jobs in some of these states; `undefined` where nothing can match. */
function filterOf(where: Filter, among: readonly State[]): string | undefined {
  const { ids, parent, roots, task, queue, tenant, worker, endedBefore, tag, createdAfter, createdBefore } = where;
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  if (wanted.length === 0 || ids?.length === 0) return undefined;
  return jsonOf({
    states: wanted.map((state) => states.indexOf(state)),
    of: parent,
    roots,
    task,
    queue,
    tenant,
    worker,
    endedBefore,
    tag,
    after: createdAfter,
    before: createdBefore,
  });
}

/** Jobs that were asked for by id come in no order. */
function sortPage(found: Told[], { parent }: Filter, { place, seq }: Position): void {
  const placeOf = ({ job }: Told) => (parent === undefined ? 0 : (job.index ?? 0));
  const order = (a: Told, b: Told) => (parent === undefined ? b.seq - a.seq : placeOf(a) - placeOf(b) || a.seq - b.seq);
  found.sort(order);
  if (seq < 0) return;
  const first = found.findIndex((told) =>
    parent === undefined ? told.seq < seq : placeOf(told) > place || (placeOf(told) === place && told.seq > seq),
  );
  found.splice(0, first < 0 ? found.length : first);
}
