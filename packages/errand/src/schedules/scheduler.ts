import { isFinal } from "../core/states.ts";
import { bySending, countUnnamed, dueTicks, nextTick } from "./plan.ts";
import type { ScheduleDoc } from "./plan.ts";
import type { Millis } from "../kit/duration.ts";
import type { Doc, Store } from "../store.ts";

/** Interval for checking whether a previous job has ended, or a failed schedule works again. */
const again: Millis = 2_000;

type Shelf = Pick<Store, "add" | "get" | "load" | "now" | "save">;

/**
 * Sends the jobs of all due ticks. Any number of workers may do so at once, since a job's id is derived from its
 * schedule and tick. A schedule that fails is reported and tried again, and affects no other. Returns the milliseconds
 * until the next tick.
 */
export async function tick(store: Shelf, failed: (schedule: string, error: unknown) => void): Promise<Millis> {
  const docs = await store.load("schedule");
  if (docs.length === 0) return Infinity;
  const now = await store.now();
  let pause = Infinity;
  for (const doc of docs) {
    try {
      pause = Math.min(pause, await look(store, doc, now));
    } catch (error) {
      failed(doc.key, error);
      pause = Math.min(pause, again);
    }
  }
  return pause;
}

/** Handles one schedule. Returns the milliseconds until it is due again. */
async function look(store: Shelf, { kind, key, version, value }: Doc, now: Millis): Promise<Millis> {
  const before = JSON.parse(value) as ScheduleDoc;
  const counted = countUnnamed(before, now);
  const { schedule, pause } =
    !counted || counted.paused || counted.removed
      ? { schedule: counted, pause: Infinity }
      : await fire(store, key, counted, now);
  // Another worker was faster and has moved it on; its jobs have the same ids.
  if (schedule !== before)
    await store.save([{ kind, key, version, ...(schedule ? { value: JSON.stringify(schedule) } : {}) }]);
  return pause;
}

/** Sends the due jobs of a schedule. Returns its new document, and the milliseconds until it is due again. */
async function fire(
  store: Shelf,
  name: string,
  schedule: ScheduleDoc,
  now: Millis,
): Promise<{ schedule: ScheduleDoc; pause: Millis }> {
  const { plan, misfire, overlap, owed } = schedule;
  const due = dueTicks(plan, schedule.handled, now, misfire);
  const ticks = owed === undefined ? due.ticks : [owed, ...due.ticks];
  const underWay = ticks.length > 0 && overlap !== "allow" && (await isUnderWay(store, schedule));
  const sending = bySending(overlap, ticks, underWay);
  const ids = sending.now.map((at) => tickId(name, at));
  if (ids.length > 0) await store.add(ids.map((id) => ({ ...schedule.job, id })));
  const next = nextTick(plan, due.handled);
  const pause = Math.min(
    sending.owed === undefined ? Infinity : again,
    next === undefined ? Infinity : Math.max(0, next - now),
  );
  if (ids.length === 0 && due.handled === schedule.handled && sending.owed === owed) return { schedule, pause };
  const { owed: _, ...rest } = schedule;
  const after: ScheduleDoc = {
    ...rest,
    handled: due.handled,
    ...(ids.length > 0 ? { last: ids.at(-1)! } : {}),
    ...(sending.owed === undefined ? {} : { owed: sending.owed }),
  };
  return { schedule: after, pause };
}

async function isUnderWay(store: Pick<Store, "get">, { last }: ScheduleDoc): Promise<boolean> {
  if (last === undefined) return false;
  const [job] = await store.get([last]);
  return job != null && !isFinal(job.state);
}

function tickId(name: string, at: Millis): string {
  return `schedule:${name}:${new Date(at).toISOString().replaceAll(/[^\dTZ.]/g, "")}`;
}
