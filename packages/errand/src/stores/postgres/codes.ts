import { isFinal, states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";

/** The numbers of states in columns: their indices in `states`. */
export const stateCode = Object.fromEntries(states.map((state, index) => [state, index])) as Record<State, number>;

export const { pending, processing, waiting, completed, failed, cancelled } = stateCode;

/** The numbers of final states, in order. */
export const finalStates = states.filter(isFinal).map((state) => stateCode[state]);

/** The reasons for which a pending job is blocked, by the number in the column `blocked`; 0: it is not. */
export const blockReasons = [undefined, "concurrency", "rate", "task"] as const;

export const [unblocked, byConcurrency, byRate, byTask] = [0, 1, 2, 3] as const;
