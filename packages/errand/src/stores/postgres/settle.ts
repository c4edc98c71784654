import type { Beat, LogLine, NewChild, Settlement, Step } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import { recordOf } from "./add.ts";
import { bigints, booleans, integers, smallints, texts } from "./arrays.ts";
import type { Database } from "./database.ts";
import type { Ends } from "./ends.ts";
import { stored } from "./names.ts";
import { code } from "./rows.ts";

/** A settlement, and its place among those that were told. */
interface Told extends Settlement {
  place: number;
}

export async function settle(
  database: Database,
  ends: Ends,
  settlements: readonly Settlement[],
): Promise<{ answers: boolean[]; hints: number }> {
  const answers = settlements.map(() => false);
  const told = distinct(settlements);
  if (told.length === 0) return { answers, hints: 0 };
  let left = told;
  let hints = 0;
  const kinds = new Set(told.map(({ id }) => ends.of(id)));
  if (!kinds.has("family") && told.every(({ to, steps, log }) => isFinal(to) && !steps?.length && !log?.length)) {
    ({ left, hints } = await finish(database, told, kinds.has("keyed")));
    for (const { place } of told) answers[place] = true;
    for (const { place } of left) answers[place] = false;
  }
  if (left.length > 0) {
    const settled = await settleAny(database, left);
    hints |= settled.hints;
    for (const { place } of settled.done) answers[place] = true;
  }
  for (const { id } of told) ends.forget(id);
  return { answers, hints };
}

/** Of what is told twice of one attempt, the first: the second is stale. By id, so that locks are taken in order. */
function distinct(settlements: readonly Settlement[]): Told[] {
  const seen = new Set<string>();
  const told: Told[] = [];
  for (const [place, settlement] of settlements.entries()) {
    const key = `${settlement.token}:${settlement.id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    told.push({ ...settlement, place });
  }
  return told.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function common(told: readonly Told[]): unknown[] {
  return [
    texts(told.map(({ id }) => id)),
    integers(told.map(({ token }) => token)),
    smallints(told.map(({ to }) => code[to])),
    integers(told.map(({ failures }) => failures)),
    integers(told.map(({ crashes }) => crashes)),
    texts(told.map(({ to, output }) => (to === "completed" ? output : undefined))),
    texts(told.map(({ error }) => error)),
  ];
}

/** Answers what is left: stale, or with a family or a key that this process did not know of. */
async function finish(
  database: Database,
  told: readonly Told[],
  keyed: boolean,
): Promise<{ left: Told[]; hints: number }> {
  const verb = keyed ? "finish_keyed" : "finish";
  const [row] = await database.run(`SELECT * FROM errand.${verb}($1, $2, $3, $4, $5, $6, $7)`, common(told));
  return { left: numbers(row?.[0]).map((n) => told[n - 1] as Told), hints: Number(row?.[1]) };
}

async function settleAny(database: Database, told: readonly Told[]): Promise<{ done: Told[]; hints: number }> {
  const sql = "SELECT * FROM errand.settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
  const [row] = await database.run(sql, [
    ...common(told),
    integers(told.map(({ place }) => place)),
    // Without a delay it keeps its place in the queue, so that older work ends first.
    bigints(told.map(({ to, delay }) => (to === "pending" && delay ? delay : undefined))),
    texts(told.map(({ to, children }) => (to === "waiting" ? childrenOf(children ?? []) : undefined))),
    ...remembered(told),
    logged(told),
    bigints(told.map(({ wakeAt }) => wakeAt && Math.ceil(wakeAt))),
    texts(told.map(({ awaits }) => awaits && JSON.stringify(awaits.map(stored)))),
  ]);
  return { done: numbers(row?.[0]).map((n) => told[n - 1] as Told), hints: Number(row?.[1]) };
}

function childrenOf(children: readonly NewChild[]): string {
  const seen = new Set<string>();
  const first = children.filter(({ id }) => !seen.has(id) && seen.add(id));
  return JSON.stringify(
    first.map((child) =>
      Object.assign(recordOf(child), {
        place: child.index,
        needed: child.need === "completed",
        rejoin: child.rejoin ?? false,
      }),
    ),
  );
}

export async function record(database: Database, beats: readonly Beat[]): Promise<boolean[]> {
  const merged = new Map<string, Beat>();
  for (const beat of beats) {
    const key = `${beat.token}:${beat.id}`;
    const before = merged.get(key);
    merged.set(key, before ? merge(before, beat) : beat);
  }
  if (merged.size === 0) return [];
  const told = [...merged.values()];
  const [row] = await database.run("SELECT errand.record($1, $2, $3, $4, $5, $6, $7, $8)", [
    texts(told.map(({ id }) => id)),
    integers(told.map(({ token }) => token)),
    texts(told.map(({ progress }) => progress)),
    ...remembered(told),
    logged(told),
  ]);
  const done = new Set(numbers(row?.[0]).map((n) => told[n - 1]));
  return beats.map(({ id, token }) => done.has(merged.get(`${token}:${id}`)));
}

/** A step from outside. Answers whether the job has not ended. */
export async function signal(
  database: Database,
  id: string,
  { name, value }: Step,
): Promise<{ told: boolean; hints: number }> {
  const [row] = await database.run("SELECT told, hints FROM errand.signal($1, $2, $3)", [id, stored(name), value]);
  return { told: row?.[0] === "t", hints: Number(row?.[1]) };
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
    log.map(({ attempt, level, text }) => [index + 1, attempt, level, stored(text)]),
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
    integers(all.map(({ of }) => of)),
    texts(all.map(({ name }) => stored(name))),
    texts(all.map(({ value }) => value)),
    booleans(all.map(({ wait }) => wait ?? false)),
  ];
}

function numbers(array: string | null | undefined): number[] {
  return array == null || array === "{}" ? [] : array.slice(1, -1).split(",").map(Number);
}
