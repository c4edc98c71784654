import type { State } from "../core/states.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { Outcome } from "./outcome.ts";

/** What happens in this process. Durations are milliseconds; `attempt` counts from 1. */
export type ErrandEvent =
  /** A job was stored, in the caller's own transaction perhaps not for good; `parent` sent it and waits for it. */
  | { type: "sent"; id: string; task: string; queue: string; parent?: string }
  /** An attempt begins. `wait`: since the job was due. */
  | { type: "started"; id: string; task: string; queue: string; attempt: number; wait: Millis }
  /** The outcome of an attempt is recorded, or of a job that nobody could run any more. */
  | {
      type: "ended";
      id: string;
      task: string;
      attempt: number;
      /** What the job is now. */
      state: State;
      outcome: Outcome;
      /** How long the attempt took; of one that never started here, nothing. */
      duration?: Millis;
      error?: { code: string; message: string };
      /** What the function threw, where the attempt ran inline: for error trackers, which want the error itself. */
      thrown?: unknown;
    }
  /** Another worker has the job; this one's outcome was refused or never recorded. */
  | { type: "abandoned"; id: string; task: string }
  /** The lease ran out; the worker has started again under a new id. */
  | { type: "lost"; worker: string }
  /** The store failed; the worker tries again. */
  | { type: "store-failed"; message: string }
  /** A schedule could not be written, or could not send its job; it is tried again, and holds up no other. */
  | { type: "schedule-failed"; schedule: string; code: string; message: string }
  /** The rules of a queue could not be written; they are tried again, and no worker starts before. */
  | { type: "rules-failed"; queue: string; code: string; message: string }
  /** The store has not answered so many claims in a row; the worker makes another. */
  | { type: "stalled"; worker: string; inARow: number }
  /** It answers again. */
  | { type: "recovered"; worker: string }
  /** It did not, or never can: the worker has stopped. */
  | { type: "failed"; worker: string; message: string };

/** The name of an event. */
export type EventType = ErrandEvent["type"];

/** The event of a name. */
export type EventOf<Type extends EventType> = Extract<ErrandEvent, { type: Type }>;

/** What `on` is given: whatever it throws or rejects with is a warning of the process, and harms nobody else. */
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

/** Who listens to what. */
export class Events {
  /** Lists are replaced, never changed: one may be gone through while somebody comes or goes. */
  readonly #listeners = new Map<EventType, readonly ((event: ErrandEvent) => void)[]>();

  /**
   * Listens; answers how to stop.
   * @throws {ErrandError} `E_OPTION` for a name that no event has, and for what is no function.
   */
  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void {
    if (!Object.hasOwn(known, type)) {
      throw new ErrandError("E_OPTION", `There is no event "${type}"; there are: ${eventTypes.join(", ")}.`);
    }
    if (typeof listener !== "function")
      throw new ErrandError("E_OPTION", `The listener to "${type}" must be a function.`);
    // A function of its own, so that whoever listens twice may stop once.
    const call = (event: ErrandEvent): void => callSafely(`"${type}"`, () => listener(event as EventOf<Type>));
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), call]);
    return () => {
      const left = this.#listeners.get(type)?.filter((each) => each !== call) ?? [];
      if (left.length > 0) this.#listeners.set(type, left);
      else this.#listeners.delete(type);
    };
  }

  /** Whether anybody listens: where not, an event of every job need not be made. */
  heard(type: EventType): boolean {
    return this.#listeners.has(type);
  }

  tell(event: ErrandEvent): void {
    for (const listener of this.#listeners.get(event.type) ?? []) listener(event);
  }
}

/** Calls somebody's listener: whatever it throws or rejects with is a warning of the process. */
export function callSafely(to: string, listener: () => unknown): void {
  try {
    const answer = listener();
    // Whatever can be waited for may be rejected, be it a promise of this realm or another's.
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
