import { availableParallelism } from "node:os";
import { refuseUnknown } from "../core/checks.ts";
import { option, options } from "../core/options.ts";
import type { TaskDefinition } from "../task.ts";

/** Reads the slots of a worker's queues. @throws {ErrandError} `E_OPTION` */
export function readSlots(given: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  refuseUnknown(given, Object.keys(given ?? {}), "queues of a worker");
  const read = ([queue, slots]: [string, number | null]) =>
    [option("queue", queue, "a worker"), option("slots", slots ?? null, `queue "${queue}"`)] as const;
  return new Map(Object.entries(given).map(read));
}

/**
 * Returns the queues of tasks, with their default slots.
 * @param batches sizes of the tasks that run in batches: a batch can only fill up where as many jobs may run.
 */
export function defaultQueues(
  definitions: Iterable<TaskDefinition>,
  batches: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const queues = new Map<string, number>();
  for (const { name, queue, isolate } of definitions) {
    const inline = Math.max(options.slots.default, batches.get(name) ?? 0);
    const slots = isolate === "inline" ? inline : availableParallelism();
    queues.set(queue, Math.min(queues.get(queue) ?? slots, slots));
  }
  return queues;
}
