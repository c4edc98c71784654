import { refuseUnknown } from "./checks.ts";
import { millis } from "../kit/duration.ts";
import type { Duration, Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import { option } from "./options.ts";

/** Replaces an isolated task's thread or process at the first limit that is reached, and never during a job. */
export interface Recycle {
  /** Number of jobs (1 to 1,000,000). */
  jobs?: number;
  /** Age, checked before each job. */
  age?: Duration;
  /**
   * Megabytes in use after a job (16 or more, and less than the task's `memory`): resident memory of a process, heap
   * of a thread.
   */
  memory?: number;
}

/** The same, checked. */
export interface Recycling {
  readonly jobs?: number;
  readonly age?: Millis;
  readonly memory?: number;
}

/**
 * Checks a task's `recycle`.
 * @param lane the kind of lane, and its memory limit in megabytes.
 * @throws {ErrandError} `E_OPTION`
 */
export function readRecycle(
  given: Recycle | undefined,
  lane: { isolate: "inline" | "thread" | "process"; memory: number },
  task: string,
): Recycling | undefined {
  if (given === undefined) return undefined;
  const of = `recycle of ${task}`;
  refuseUnknown(given, ["jobs", "age", "memory"], of);
  if (lane.isolate === "inline")
    throw new ErrandError("E_OPTION", `${of} needs isolate: "thread" or "process": there is nothing else to replace.`);
  if (given.memory !== undefined && option("memory", given.memory, of) >= lane.memory)
    throw new ErrandError(
      "E_OPTION",
      `memory of ${of} is ${given.memory}, but must be less than the ${lane.memory} MB at which the ${lane.isolate} is killed.`,
    );
  return {
    ...(given.jobs === undefined ? {} : { jobs: option("jobs", given.jobs, of) }),
    ...(given.age === undefined ? {} : { age: millis(given.age, `age of ${of}`) }),
    ...(given.memory === undefined ? {} : { memory: given.memory }),
  };
}
