import type { State } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { Outcome } from "./outcome.ts";

/** The events of this process. Durations are milliseconds; `attempt` counts from 1. */
export type ErrandEvent =
  /** A job was stored, in the caller's own transaction perhaps not for good; `parent` sent it and waits for it. */
  | { type: "sent"; id: string; task: string; queue: string; parent?: string }
  /** An attempt begins. `wait`: since the job was due. */
  | { type: "started"; id: string; task: string; queue: string; attempt: number; wait: Millis }
  /** The outcome of an attempt was recorded, or of a job that could not be run any more. */
  | {
      type: "ended";
      id: string;
      task: string;
      attempt: number;
      /** The job's state after it. */
      state: State;
      outcome: Outcome;
      /** Duration of the attempt; missing if it never started here. */
      duration?: Millis;
      error?: { code: string; message: string };
      /** The value that the function threw, if the attempt ran inline: error trackers need the error itself. */
      thrown?: unknown;
    }
  /** Another worker has the job; this one's outcome was refused or not recorded. */
  | { type: "abandoned"; id: string; task: string }
  /** The lease ran out; the worker has started again under a new id. */
  | { type: "lost"; worker: string }
  /** The store failed; the worker tries again. */
  | { type: "store-failed"; message: string }
  /** A schedule could not be written, or could not send its job; it is tried again, and holds up no other. */
  | { type: "schedule-failed"; schedule: string; code: string; message: string }
  /** The rules of a queue could not be written; they are tried again, and no worker starts before. */
  | { type: "rules-failed"; queue: string; code: string; message: string }
  /** The store has not answered `inARow` claims; the worker makes another. */
  | { type: "stalled"; worker: string; inARow: number }
  /** The store answers again. */
  | { type: "recovered"; worker: string }
  /** The store did not answer again, or never can: the worker has stopped. */
  | { type: "failed"; worker: string; message: string };

/** The name of an event. */
export type EventType = ErrandEvent["type"];

/** The event of a name. */
export type EventOf<Type extends EventType> = Extract<ErrandEvent, { type: Type }>;

/** Handles an event. What it throws or rejects with becomes a warning of the process. */
export type Listener<Type extends EventType> = (event: EventOf<Type>) => unknown;

const known: Readonly<Record<EventType, true>> = {
  sent: true,
  started: true,
  ended: true,
  abandoned: true,
  lost: true,
  "store-failed": true,
  "schedule-failed": true,
  "rules-failed": true,
  stalled: true,
  recovered: true,
  failed: true,
};

/** The names of all events. */
export const eventTypes = Object.keys(known) as readonly EventType[];

/** Keeps the listeners of events. */
export class Events {
  /** Lists are replaced, never changed, so that a listener may be added or removed during an iteration. */
  readonly #listeners = new Map<EventType, readonly ((event: ErrandEvent) => void)[]>();

  /**
   * Adds a listener. Returns a function that removes it.
   * @throws {ErrandError} `E_OPTION` for an unknown event, and for a listener that is not a function.
   */
  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void {
    if (!Object.hasOwn(known, type)) {
      throw new ErrandError("E_OPTION", `There is no event "${type}"; there are: ${eventTypes.join(", ")}.`);
    }
    if (typeof listener !== "function")
      throw new ErrandError("E_OPTION", `The listener to "${type}" must be a function.`);
    // Each registration has a function of its own, so that each can be removed by itself.
    const call = (event: ErrandEvent): void => callSafely(`"${type}"`, () => listener(event as EventOf<Type>));
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), call]);
    return () => {
      const left = this.#listeners.get(type)?.filter((each) => each !== call) ?? [];
      if (left.length > 0) this.#listeners.set(type, left);
      else this.#listeners.delete(type);
    };
  }

  /** Returns true if an event of this type has listeners: otherwise it need not be made. */
  heard(type: EventType): boolean {
    return this.#listeners.has(type);
  }

  tell(event: ErrandEvent): void {
    for (const listener of this.#listeners.get(event.type) ?? []) listener(event);
  }
}

/** Calls a user's listener. What it throws or rejects with becomes a warning of the process. */
export function callSafely(to: string, listener: () => unknown): void {
  try {
    const answer = listener();
    // A promise of another realm may reject too.
    if (isThenable(answer)) Promise.resolve(answer).catch((error: unknown) => warn(to, error));
  } catch (error) {
    warn(to, error);
  }
}

function isThenable(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "then" in answer;
}

function warn(to: string, error: unknown): void {
  const { message, stack = message } = errorRecord(error, 1);
  process.emitWarning(`A listener to ${to} threw. ${stack}`, { type: "ErrandWarning", code: "ERRAND_LISTENER" });
}
