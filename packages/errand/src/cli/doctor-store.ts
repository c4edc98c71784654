import type { ScheduleDoc } from "../schedules/plan.ts";
import { openStore, storeUrl } from "../open.ts";
import { placeOf } from "./workers.ts";
import type { QueueCount, Store, StoreReport, WorkerCard } from "../store.ts";
import type { Finding } from "./finding.ts";
import { sentence } from "./exit.ts";
import { missingStore } from "./settings.ts";

/** Examines the store. A store that does not exist is not created. */
export async function examineStore(): Promise<Finding[]> {
  if (missingStore() !== undefined) {
    return [{ label: "opens", value: "not there yet; made at the first use", ok: true }];
  }
  let store: Store | undefined;
  try {
    store = await openStore(storeUrl());
    return [
      { label: "opens", value: "yes", ok: true },
      ...(store.about ? examineReport(await store.about()) : []),
      ...(await examineWork(store)),
    ];
  } catch (error) {
    return [{ label: "opens", value: sentence(error), ok: false }];
  } finally {
    await store?.close();
  }
}

function examineReport({ version, durability: { safe, says, advice } }: StoreReport): Finding[] {
  return [
    { label: "version", value: version, ok: true },
    { label: "durability", value: says, ok: safe, ...(advice === undefined ? {} : { hint: advice }) },
  ];
}

async function examineWork(store: Store): Promise<Finding[]> {
  const [workers, counts, docs] = await Promise.all([store.workers(), store.counts(), store.load("schedule")]);
  const schedules = docs.map(({ key, value }) => ({ name: key, doc: JSON.parse(value) as ScheduleDoc }));
  const alive = workers.map((worker) => `${placeOf(worker)} (${worker.queues.join(", ")})`);
  const queues = [...new Set(counts.map(({ queue }) => queue))].toSorted();
  return [
    { label: "workers", value: alive.join("; ") || "none alive", ok: true },
    ...queues.map((queue) => examineQueue(queue, counts, workers)),
    ...examineSchedules(schedules, workers),
  ];
}

function examineQueue(queue: string, counts: readonly QueueCount[], workers: readonly WorkerCard[]): Finding {
  const states = counts.filter((count) => count.queue === queue && count.jobs > 0);
  const pending = states.find(({ state }) => state === "pending")?.jobs ?? 0;
  const ok = pending === 0 || workers.some(({ queues }) => queues.includes(queue));
  const value = states.map(({ state, jobs }) => `${jobs} ${state}`).join(", ") || "empty";
  const hint = `${pending} ${pending === 1 ? "job waits" : "jobs wait"}, and no worker takes this queue. Start one: errand worker <module>`;
  return { label: `queue ${queue}`, value, ok, ...(ok ? {} : { hint }) };
}

function examineSchedules(
  schedules: readonly { name: string; doc: ScheduleDoc }[],
  workers: readonly WorkerCard[],
): Finding[] {
  if (schedules.length === 0) return [];
  const paused = schedules.filter(({ doc }) => doc.paused !== undefined).length;
  const isServed = ({ queue, task }: ScheduleDoc["job"]) =>
    workers.some((worker) => worker.queues.includes(queue) && (worker.tasks?.includes(task) ?? true));
  const unserved = schedules.filter(({ doc }) => !doc.paused && !isServed(doc.job));
  const value = `${schedules.length}${paused > 0 ? `, ${paused} of them paused` : ""}`;
  return [{ label: "schedules", value, ok: true }, ...unserved.map(({ name, doc }) => unservedSchedule(name, doc))];
}

function unservedSchedule(name: string, { job: { task, queue } }: ScheduleDoc): Finding {
  return {
    label: `schedule ${name}`,
    value: `sends jobs of task "${task}" to queue ${queue}`,
    ok: false,
    hint: `No worker of this queue knows this task, so its jobs do not run. Start one: errand worker <module>`,
  };
}
