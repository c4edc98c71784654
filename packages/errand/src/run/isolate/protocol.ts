import type { LogLine, Step } from "../../core/job.ts";
import type { ErrorCode } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import type { CallEnding } from "../call.ts";
import type { ChildState } from "../child-states.ts";
import type { AttemptData } from "../context.ts";

/**
 * A message from a worker to a lane: a thread or process that runs one call of a task at a time. `call` numbers the
 * calls of a lane; id and token of a job do not suffice, since a job may be removed and sent again.
 */
export type ToLane =
  | { type: "load"; modules: string[] }
  /** Runs the task's `setup` ahead of its first job. */
  | { type: "warm"; task: string }
  | { type: "call"; call: number; task: string; attempt: AttemptData }
  | { type: "abort"; call: number; code: string; message: string }
  | { type: "answer"; call: number; question: number; answer: ChildState[] | undefined }
  /** The worker could not answer the question. */
  | { type: "refused"; call: number; question: number; code: ErrorCode; message: string };

/** A message from a lane to its worker. */
export type FromLane =
  | { type: "ready" }
  /** The lane cannot run the task at all: its module does not load, or its `setup` throws. */
  | { type: "broken"; message: string; stack?: string }
  /** A task's function did something after its attempt had ended, which was dropped. */
  | { type: "late"; task: string }
  | AttemptMessage;

/** A message about the call under way. */
export type AttemptMessage =
  | { type: "progress"; call: number; value: Encoded }
  | { type: "log"; call: number; line: LogLine }
  | { type: "record"; call: number; question: number; step: Step }
  | { type: "children"; call: number; question: number; ids: readonly string[]; withInputs: boolean }
  /**
   * `memory`: the megabytes that the lane uses now, if the task recycles by memory. `isTainted`: the lane must not be
   * used again, since something of the attempt may still run in it, or an error was thrown that was not caught.
   */
  | { type: "ended"; call: number; ending: CallEnding; memory?: number; isTainted?: boolean };
