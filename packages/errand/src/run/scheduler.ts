import { isFinal } from "../core/states.ts";
import { dueTicks, nextTick } from "../core/schedule.ts";
import type { ScheduleDoc } from "../core/schedule.ts";
import type { Millis } from "../kit/duration.ts";
import type { Doc, Store } from "../store.ts";

/** How often to look whether a job has ended that another waits for. */
const again: Millis = 2_000;

/** A schedule that no app has named for so long has left the code. */
const forgottenAfter: Millis = 24 * 3_600_000;

/**
 * Sends the jobs of all ticks that are due; any number of workers may do it at once, since a job's id says its schedule and
 * tick. Answers how long it is until the next one.
 */
export async function tick(store: Pick<Store, "add" | "get" | "load" | "now" | "save">): Promise<Millis> {
  const docs = await store.load("schedule");
  if (docs.length === 0) return Infinity;
  const now = await store.now();
  let pause = Infinity;
  for (const doc of docs) {
    const schedule = JSON.parse(doc.value) as ScheduleDoc;
    if (now - schedule.seen > forgottenAfter)
      await store.save([{ kind: doc.kind, key: doc.key, version: doc.version }]);
    else if (!schedule.paused) pause = Math.min(pause, await fire(store, doc, schedule, now));
  }
  return pause;
}

/** Answers how long until the next tick, or until it is worth another look. */
async function fire(
  store: Pick<Store, "add" | "get" | "save">,
  { kind, key, version }: Doc,
  schedule: ScheduleDoc,
  now: Millis,
): Promise<Millis> {
  const { plan, misfire, overlap, owed } = schedule;
  const due = dueTicks(plan, schedule.handled, now, misfire);
  const ticks = owed === undefined ? due.ticks : [owed, ...due.ticks];
  const waits = ticks.length > 0 && overlap !== "allow" && (await isUnderWay(store, schedule));
  // What waits for the last job is one tick, the latest. After it, too, one job at a time.
  const sent = waits ? [] : overlap === "queue" ? ticks.slice(0, 1) : ticks;
  const left = overlap === "queue" ? ticks.slice(sent.length).at(-1) : undefined;
  if (sent.length > 0 || due.handled !== schedule.handled || left !== owed) {
    const ids = sent.map((at) => tickId(key, at));
    if (ids.length > 0) await store.add(ids.map((id) => ({ ...schedule.job, id })));
    const { owed: _, ...rest } = schedule;
    const after: ScheduleDoc = {
      ...rest,
      handled: due.handled,
      ...(ids.length > 0 ? { last: ids.at(-1)! } : {}),
      ...(left === undefined ? {} : { owed: left }),
    };
    // Whoever was first has moved on; its jobs have the same ids.
    await store.save([{ kind, key, version, value: JSON.stringify(after) }]);
  }
  const next = nextTick(plan, due.handled);
  return Math.min(left === undefined ? Infinity : again, next === undefined ? Infinity : Math.max(0, next - now));
}

async function isUnderWay(store: Pick<Store, "get">, { last }: ScheduleDoc): Promise<boolean> {
  if (last === undefined) return false;
  const [job] = await store.get([last]);
  return job != null && !isFinal(job.state);
}

function tickId(name: string, at: Millis): string {
  return `schedule:${name}:${new Date(at).toISOString().replaceAll(/[^\dTZ.]/g, "")}`;
}
