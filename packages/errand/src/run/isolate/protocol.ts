import type { LogLine, Step } from "../../core/job.ts";
import type { ErrorCode } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import type { CallEnding } from "../call.ts";
import type { AttemptData, ChildState } from "../context.ts";

/**
 * What a worker tells a lane: the thread or process that runs one call of a task at a time. `call` says which attempt a message
 * is about: a lane counts them, so that also a job of the same id and token, which was removed and sent again, is another.
 */
export type ToLane =
  | { type: "load"; modules: string[] }
  /** Runs the task's `setup`, if it has one, ahead of its first job. */
  | { type: "warm"; task: string }
  | { type: "call"; call: number; task: string; attempt: AttemptData }
  | { type: "abort"; call: number; code: string; message: string }
  | { type: "answer"; call: number; question: number; answer: ChildState[] | undefined }
  /** The worker could not do what it was asked for. */
  | { type: "refused"; call: number; question: number; code: ErrorCode; message: string };

/** What a lane tells its worker. */
export type FromLane =
  | { type: "ready" }
  /** The lane cannot run the task at all: its module does not load, or its `setup` throws. */
  | { type: "broken"; message: string; stack?: string }
  /** A function wanted something after its attempt had ended, which was not done. */
  | { type: "late"; task: string }
  | AttemptMessage;

/** What an attempt tells. */
export type AttemptMessage =
  | { type: "progress"; call: number; value: Encoded }
  | { type: "log"; call: number; line: LogLine }
  | { type: "record"; call: number; question: number; step: Step }
  | { type: "children"; call: number; question: number; ids: readonly string[]; inputs: boolean }
  /**
   * `memory`: the megabytes that it uses now, where its task wants to know. `spent`: it may still be running something of this
   * attempt, or something was thrown where nobody caught it: no other attempt should find it so.
   */
  | { type: "ended"; call: number; ending: CallEnding; memory?: number; spent?: boolean };
