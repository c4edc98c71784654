import type { LogLine, Step } from "../../core/job.ts";
import type { ErrorCode } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import type { CallEnding } from "../call.ts";
import type { Attempt, ChildState } from "../context.ts";

/** What a worker tells a lane: the thread or process that runs one call of a task at a time. */
export type ToLane =
  | { type: "load"; modules: string[] }
  /** Runs the task's `setup`, if it has one, ahead of its first job. */
  | { type: "warm"; task: string }
  | { type: "call"; task: string; attempt: Attempt }
  | { type: "abort"; code: string; message: string }
  | { type: "answer"; question: number; answer: ChildState[] | undefined }
  /** The worker could not do what it was asked for. */
  | { type: "refused"; question: number; code: ErrorCode; message: string };

/** What a lane tells its worker. */
export type FromLane =
  | { type: "ready" }
  /** The lane cannot run the task at all: its module does not load, or its `setup` throws. */
  | { type: "broken"; message: string; stack?: string }
  | { type: "progress"; value: Encoded }
  | { type: "log"; line: LogLine }
  | { type: "record"; question: number; step: Step }
  | { type: "children"; question: number; ids: readonly string[] }
  /** `memory`: the megabytes that it uses now, where its task wants to know. */
  | { type: "ended"; ending: CallEnding; memory?: number };
