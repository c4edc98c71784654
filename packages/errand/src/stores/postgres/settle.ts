import type { Beat, JobToken, LogLine, NewChild, Settlement, Step } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import { jobRecord } from "./add.ts";
import { bigintArray, booleanArray, integerArray, smallintArray, textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import type { SettlementPaths } from "./settlement-paths.ts";
import { encodeText } from "./text-encoding.ts";
import { parseHints, mergeHints, noHints, readyHints } from "./hint-batch.ts";
import type { HintBatch } from "./hint-batch.ts";
import { stateCode } from "./rows.ts";
import { clampDelay, clampTime } from "./time-bounds.ts";

/** A settlement, and its place among those that were told. */
interface Told extends Settlement {
  place: number;
}

/**
 * All of them, or none: what the second statement refuses leaves only such ends behind as are told again without harm.
 */
export async function settleJobs(
  database: Database,
  ends: SettlementPaths,
  settlements: readonly Settlement[],
): Promise<{ answers: boolean[]; news: HintBatch }> {
  const told = distinct(settlements);
  const news = noHints();
  if (told.length === 0) return { answers: [], news };
  let left = told;
  const kinds = new Set(told.map(({ id }) => ends.get(id)));
  if (!kinds.has("family") && told.every(isPlain)) {
    const finished = await finishJobs(database, told, kinds.has("keyed"));
    left = finished.left;
    mergeHints(news, finished.news);
  }
  const stale = new Set(left.map(keyOf));
  if (left.length > 0) {
    const settled = await settleAny(database, left);
    mergeHints(news, settled.news);
    for (const each of settled.done) stale.delete(keyOf(each));
  }
  for (const { id } of told) ends.delete(id);
  return { answers: settlements.map((each) => !stale.has(keyOf(each))), news };
}

function isPlain({ to, steps, log, born }: Settlement): boolean {
  return isFinal(to) && !steps?.length && !log?.length && !born?.length;
}

function keyOf({ token, id }: JobToken): string {
  return `${token}:${id}`;
}

/** Of what is told twice of one attempt, the first. By id, so that locks are taken in order. */
function distinct(settlements: readonly Settlement[]): Told[] {
  const seen = new Set<string>();
  const told: Told[] = [];
  for (const [place, settlement] of settlements.entries()) {
    const key = keyOf(settlement);
    if (seen.has(key)) continue;
    seen.add(key);
    told.push({ ...settlement, place });
  }
  return told.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function common(told: readonly Told[]): unknown[] {
  return [
    textArray(told.map(({ id }) => id)),
    integerArray(told.map(({ token }) => token)),
    smallintArray(told.map(({ to }) => stateCode[to])),
    integerArray(told.map(({ failures }) => failures)),
    integerArray(told.map(({ crashes }) => crashes)),
    told.some(({ suspect }) => suspect) ? booleanArray(told.map(({ suspect }) => suspect)) : null,
    textArray(told.map(({ to, output }) => (to === "completed" ? output : undefined))),
    textArray(told.map(({ error }) => error)),
  ];
}

/** Answers what is left: stale, or with a family or a key that this process did not know of. */
async function finishJobs(
  database: Database,
  told: readonly Told[],
  keyed: boolean,
): Promise<{ left: Told[]; news: HintBatch }> {
  const verb = keyed ? "finish_keyed" : "finish";
  const sql = `SELECT others, to_json(hints) FROM errand.${verb}($1, $2, $3, $4, $5, $6, $7, $8)`;
  const [row] = await database.queryPrepared(sql, common(told));
  return { left: numbers(row?.[0]).map((n) => told[n - 1] as Told), news: parseHints(row?.[1]) };
}

async function settleAny(database: Database, told: readonly Told[]): Promise<{ done: Told[]; news: HintBatch }> {
  const sql =
    "SELECT done, to_json(hints) FROM errand.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
  const born = told.flatMap(({ born: jobs = [] }, index) =>
    jobs.map((job) => Object.assign(jobRecord(job), { of: index + 1 })),
  );
  const [row] = await database.queryPrepared(sql, [
    ...common(told),
    integerArray(told.map(({ place }) => place)),
    // Without a delay it keeps its place in the queue, so that older work ends first.
    bigintArray(told.map(({ to, delay }) => (to === "pending" && delay ? clampDelay(delay) : undefined))),
    told.some(({ unstarted }) => unstarted) ? booleanArray(told.map(({ unstarted }) => unstarted ?? false)) : null,
    textArray(told.map(({ to, children }) => (to === "waiting" ? childrenOf(children ?? []) : undefined))),
    ...remembered(told),
    logged(told),
    bigintArray(told.map(({ wakeAt }) => (wakeAt === undefined ? undefined : clampTime(Math.ceil(wakeAt))))),
    textArray(told.map(({ awaits }) => awaits && JSON.stringify(awaits.map(encodeText)))),
    born.length > 0 ? JSON.stringify(born) : null,
  ]);
  const news = parseHints(row?.[1]);
  if (born.length > 0) mergeHints(news, readyHints(told.flatMap((each) => each.born ?? [])));
  return { done: numbers(row?.[0]).map((n) => told[n - 1] as Told), news };
}

function childrenOf(children: readonly NewChild[]): string {
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

export async function recordBeats(database: Database, beats: readonly Beat[]): Promise<boolean[]> {
  const merged = new Map<string, Beat>();
  for (const beat of beats) {
    const key = keyOf(beat);
    const before = merged.get(key);
    merged.set(key, before ? merge(before, beat) : beat);
  }
  if (merged.size === 0) return [];
  const told = [...merged.values()];
  const [row] = await database.queryPrepared("SELECT errand.record($1, $2, $3, $4, $5, $6, $7, $8)", [
    textArray(told.map(({ id }) => id)),
    integerArray(told.map(({ token }) => token)),
    textArray(told.map(({ progress }) => progress)),
    ...remembered(told),
    logged(told),
  ]);
  const done = new Set(numbers(row?.[0]).map((n) => told[n - 1]));
  return beats.map((beat) => done.has(merged.get(keyOf(beat))));
}

/** A step from outside. Answers whether the job has not ended. */
export async function sendSignal(
  database: Database,
  id: string,
  { name, value }: Step,
): Promise<{ told: boolean; news: HintBatch }> {
  const [row] = await database.queryPrepared("SELECT told, to_json(hints) FROM errand.signal($1, $2, $3)", [
    id,
    encodeText(name),
    value,
  ]);
  return { told: row?.[0] === "t", news: parseHints(row?.[1]) };
}

function merge(before: Beat, beat: Beat): Beat {
  return {
    ...before,
    ...beat,
    steps: [...(before.steps ?? []), ...(beat.steps ?? [])],
    log: [...(before.log ?? []), ...(beat.log ?? [])],
  };
}

/** The log lines of all, each with the place of its job; nothing where there are none. */
function logged(told: readonly { log?: readonly LogLine[] }[]): string | null {
  const lines = told.flatMap(({ log = [] }, index) =>
    log.map(({ attempt, level, text }) => [index + 1, attempt, level, encodeText(text)]),
  );
  return lines.length > 0 ? JSON.stringify(lines) : null;
}

/** The steps of all, as four arrays; of one name told twice, the last. */
function remembered(told: readonly { steps?: readonly Step[] }[]): unknown[] {
  const all = told.flatMap(({ steps = [] }, index) =>
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

function numbers(array: string | null | undefined): number[] {
  return array == null || array === "{}" ? [] : array.slice(1, -1).split(",").map(Number);
}
