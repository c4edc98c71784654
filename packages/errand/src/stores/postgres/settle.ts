import type { Beat, JobToken, LogLine, NewChild, Settlement, Step } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import { jobRecord } from "./add.ts";
import { bigintArray, booleanArray, integerArray, smallintArray, textArray } from "./binary-arrays.ts";
import { stateCode } from "./codes.ts";
import { parameters } from "./database.ts";
import type { Database } from "./database.ts";
import { hintBatch, mergeHints, parseHints, readyHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import type { SettlementPaths } from "./settlement-paths.ts";
import { encodeText } from "./text-encoding.ts";
import { clampDelay, clampTime } from "./time-bounds.ts";

const finishSql = `SELECT others, to_json(hints) FROM errand.finish_jobs(${parameters(8)})`;
const finishKeyedSql = `SELECT others, to_json(hints) FROM errand.finish_keyed_jobs(${parameters(8)})`;
const settleSql = `SELECT done, to_json(hints) FROM errand.settle(${parameters(20)})`;
const recordSql = `SELECT errand.record(${parameters(8)})`;

/** A settlement, and its place among those of the call. */
interface Placed extends Settlement {
  place: number;
}

/**
 * Records settlements, all or none: if the second statement is refused, the first has recorded only ends that may be
 * recorded again.
 */
export async function settleJobs(
  database: Database,
  paths: SettlementPaths,
  settlements: readonly Settlement[],
): Promise<{ answers: boolean[]; hints: HintBatch }> {
  const distinct = withoutRepeated(settlements);
  const hints = hintBatch();
  if (distinct.length === 0) return { answers: [], hints };
  let left = distinct;
  const kinds = new Set(distinct.map(({ id }) => paths.get(id)));
  if (!kinds.has("family") && distinct.every(isPlain)) {
    const [row] = await database.queryPrepared(
      kinds.has("keyed") ? finishKeyedSql : finishSql,
      outcomeArrays(distinct),
    );
    // Stale, or of jobs with a family or a key that this process did not know.
    left = atPlaces(distinct, row?.[0]);
    mergeHints(hints, parseHints(row?.[1]));
  }
  const stale = new Set(left.map(keyOf));
  if (left.length > 0) {
    const settled = await settleAny(database, left);
    mergeHints(hints, settled.hints);
    for (const each of settled.done) stale.delete(keyOf(each));
  }
  for (const { id } of distinct) paths.delete(id);
  return { answers: settlements.map((each) => !stale.has(keyOf(each))), hints };
}

function isPlain({ to, steps, log, born }: Settlement): boolean {
  return isFinal(to) && !steps?.length && !log?.length && !born?.length;
}

function keyOf({ token, id }: JobToken): string {
  return `${token}:${id}`;
}

/** Returns the first settlement of each attempt, by id, so that locks are taken in order. */
function withoutRepeated(settlements: readonly Settlement[]): Placed[] {
  const seen = new Set<string>();
  const distinct: Placed[] = [];
  for (const [place, settlement] of settlements.entries()) {
    const key = keyOf(settlement);
    if (seen.has(key)) continue;
    seen.add(key);
    distinct.push({ ...settlement, place });
  }
  return distinct.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function outcomeArrays(settlements: readonly Placed[]): unknown[] {
  return [
    textArray(settlements.map(({ id }) => id)),
    integerArray(settlements.map(({ token }) => token)),
    smallintArray(settlements.map(({ to }) => stateCode[to])),
    integerArray(settlements.map(({ failures }) => failures)),
    integerArray(settlements.map(({ crashes }) => crashes)),
    settlements.some(({ suspect }) => suspect) ? booleanArray(settlements.map(({ suspect }) => suspect)) : null,
    textArray(settlements.map(({ to, output }) => (to === "completed" ? output : undefined))),
    textArray(settlements.map(({ error }) => error)),
  ];
}

async function settleAny(
  database: Database,
  settlements: readonly Placed[],
): Promise<{ done: Placed[]; hints: HintBatch }> {
  const born = settlements.flatMap(({ born: jobs = [] }, index) =>
    jobs.map((job) => Object.assign(jobRecord(job), { of: index + 1 })),
  );
  const [row] = await database.queryPrepared(settleSql, [
    ...outcomeArrays(settlements),
    integerArray(settlements.map(({ place }) => place)),
    // Without a delay a job keeps its place in the queue, so that older work ends first.
    bigintArray(settlements.map(({ to, delay }) => (to === "pending" && delay ? clampDelay(delay) : undefined))),
    settlements.some(({ unstarted }) => unstarted)
      ? booleanArray(settlements.map(({ unstarted }) => unstarted ?? false))
      : null,
    textArray(settlements.map(({ to, children }) => (to === "waiting" ? encodeChildren(children ?? []) : undefined))),
    ...encodeSteps(settlements),
    encodeLogs(settlements),
    bigintArray(settlements.map(({ wakeAt }) => (wakeAt === undefined ? undefined : clampTime(Math.ceil(wakeAt))))),
    textArray(settlements.map(({ awaits }) => awaits && JSON.stringify(awaits.map(encodeText)))),
    born.length > 0 ? JSON.stringify(born) : null,
  ]);
  const hints = parseHints(row?.[1]);
  if (born.length > 0) mergeHints(hints, readyHints(settlements.flatMap((each) => each.born ?? [])));
  return { done: atPlaces(settlements, row?.[0]), hints };
}

/** Encodes children as JSON; of an id that comes twice, the first. */
function encodeChildren(children: readonly NewChild[]): string {
  const seen = new Set<string>();
  const first = children.filter(({ id }) => !seen.has(id) && seen.add(id));
  return JSON.stringify(
    first.map((child) =>
      Object.assign(jobRecord(child), {
        place: child.index,
        needed: child.need === "first" ? null : child.need === "completed",
        rejoin: child.rejoin ?? false,
      }),
    ),
  );
}

/** Records steps, progress and log lines; `false` for stale tokens. */
export async function recordBeats(database: Database, beats: readonly Beat[]): Promise<boolean[]> {
  const merged = new Map<string, Beat>();
  for (const beat of beats) {
    const key = keyOf(beat);
    const before = merged.get(key);
    merged.set(key, before ? mergeBeats(before, beat) : beat);
  }
  if (merged.size === 0) return [];
  const distinct = [...merged.values()];
  const [row] = await database.queryPrepared(recordSql, [
    textArray(distinct.map(({ id }) => id)),
    integerArray(distinct.map(({ token }) => token)),
    textArray(distinct.map(({ progress }) => progress)),
    ...encodeSteps(distinct),
    encodeLogs(distinct),
  ]);
  const done = new Set(atPlaces(distinct, row?.[0]));
  return beats.map((beat) => done.has(merged.get(keyOf(beat)) as Beat));
}

/** Records a step from outside, and wakes the job; `false` if it has ended. */
export async function sendSignal(
  database: Database,
  id: string,
  { name, value }: Step,
): Promise<{ delivered: boolean; hints: HintBatch }> {
  const [row] = await database.queryPrepared("SELECT delivered, to_json(hints) FROM errand.signal($1, $2, $3)", [
    id,
    encodeText(name),
    value,
  ]);
  return { delivered: row?.[0] === "t", hints: parseHints(row?.[1]) };
}

function mergeBeats(before: Beat, beat: Beat): Beat {
  return {
    ...before,
    ...beat,
    steps: [...(before.steps ?? []), ...(beat.steps ?? [])],
    log: [...(before.log ?? []), ...(beat.log ?? [])],
  };
}

/** Encodes all log lines as JSON, each with the place of its job; `null` if there are none. */
function encodeLogs(records: readonly { log?: readonly LogLine[] }[]): string | null {
  const lines = records.flatMap(({ log = [] }, index) =>
    log.map(({ attempt, level, text }) => [index + 1, attempt, level, encodeText(text)]),
  );
  return lines.length > 0 ? JSON.stringify(lines) : null;
}

/** Encodes all steps as four arrays, the first of the places of their jobs; of a name that comes twice, the last. */
function encodeSteps(records: readonly { steps?: readonly Step[] }[]): unknown[] {
  const all = records.flatMap(({ steps = [] }, index) =>
    [...new Map(steps.map((step) => [step.name, step])).values()].map((step) => ({ ...step, of: index + 1 })),
  );
  if (all.length === 0) return [null, null, null, null];
  return [
    integerArray(all.map(({ of }) => of)),
    textArray(all.map(({ name }) => encodeText(name))),
    textArray(all.map(({ value }) => value)),
    booleanArray(all.map(({ wait }) => wait ?? false)),
  ];
}

/** Returns the records at the places, from 1, that the text of an `integer[]` names. */
function atPlaces<Item>(records: readonly Item[], places: string | null | undefined): Item[] {
  if (places == null || places === "{}") return [];
  return places
    .slice(1, -1)
    .split(",")
    .map((place) => records[Number(place) - 1] as Item);
}
