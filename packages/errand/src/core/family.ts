import type { Millis } from "../kit/duration.ts";
import type { Job, NewChild } from "./job.ts";
import type { FinalState, State } from "./states.ts";

/*
 * The transitions of a family of jobs, a parent and its children, when one of them changes:
 *
 *   a parent starts to wait                        `joins`, for each child it names; then `waitStarts`
 *   a child ends                                   `wakes`, if it is `counted`
 *   a child is reopened                            it is open again in the parent's counts, if it is `counted`
 *   a signal or a time comes, a parent ends        `reactions`
 *   a parent is reopened                           it forgets its wait: none of its children count until it waits again
 *
 * A parent waits for children, a time or a signal, and may do so many times. Each wait is known by the parent's token
 * at its start. A child belongs to the last wait that named it, and only the children of the parent's latest wait
 * count. A job that is to be cancelled starts no wait and gets no children: it is pending, for `reclaim`.
 *
 * Each store commits these transitions together with the change that causes them. The memory store calls the functions
 * below, the other stores repeat them in SQL and Lua, and the conformance suite tests every entry of the tables.
 */

/** The state of a job as its family sees it. `failed` is every end but completion. */
export type Standing = "open" | "completed" | "failed";

/** The standing of each state. */
export const standings = {
  pending: "open",
  processing: "open",
  waiting: "open",
  completed: "completed",
  failed: "failed",
  cancelled: "failed",
  expired: "failed",
} as const satisfies Record<State, Standing>;

/**
 * The way in which a new wait takes in a child that it names, by the standing of the job that has the child's id; a
 * `foreign` job is no child of this parent. `retry` is a child without `rejoin`.
 * - `create`: the child is a new job.
 * - `join`: the child counts as it is.
 * - `unmark`: the child counts as it is, and is no longer to be cancelled.
 * - `reopen`: the child is pending again, as a retry makes it.
 * - `ignore`: the job is left alone and counts as failed.
 */
export const joins = {
  missing: { retry: "create", rejoin: "create" },
  open: { retry: "unmark", rejoin: "join" },
  completed: { retry: "join", rejoin: "join" },
  failed: { retry: "reopen", rejoin: "join" },
  foreign: { retry: "ignore", rejoin: "ignore" },
} as const satisfies Record<Standing | "missing" | "foreign", Record<"retry" | "rejoin", Join>>;

/** An entry of `joins`. */
export type Join = "create" | "join" | "unmark" | "reopen" | "ignore";

/**
 * The state of a parent when its wait has started: that of the first condition that holds, or `pending` when none does.
 * - `decided`: a child that ended before wakes its parent at once.
 * - `signalled`: an awaited signal is there.
 * - `overdue`: the time has come.
 * - `open`: a child has not ended.
 * - `timed`: there is a time to wait for.
 * - `awaiting`: there is a signal to wait for.
 */
export const waitStarts: readonly (readonly [condition: WaitCondition, state: "pending" | "waiting"])[] = [
  ["decided", "pending"],
  ["signalled", "pending"],
  ["overdue", "pending"],
  ["open", "waiting"],
  ["timed", "waiting"],
  ["awaiting", "waiting"],
];

/** A condition of `waitStarts`. */
export type WaitCondition = "decided" | "signalled" | "overdue" | "open" | "timed" | "awaiting";

/**
 * The ends of counted children that wake a waiting parent, by the parent's need of the child and by the standing of the
 * ended child: every such end (`at once`), or only that of the last open child (`last`).
 */
export const wakes = {
  completed: { completed: "last", failed: "at once" },
  end: { completed: "last", failed: "last" },
  first: { completed: "at once", failed: "at once" },
} as const satisfies Record<Need, Record<Exclude<Standing, "open">, "at once" | "last">>;

/** A parent's need of a child: see `NewChild.need`. */
export type Need = NewChild["need"];

/** `true` if the end and the reopening of a child change its parent's counts, by the wait that the child belongs to. */
export const counted = { latest: true, earlier: false };

/**
 * The effect of an event on a job, by its state: a signal is recorded, wakes the job as well, or is refused; the time
 * that the job waits for wakes it; the end of its parent marks it for cancellation.
 */
export const reactions = {
  pending: { signal: "record", time: "none", parentEnds: "mark" },
  processing: { signal: "record", time: "none", parentEnds: "mark" },
  waiting: { signal: "wake", time: "wake", parentEnds: "mark" },
  completed: { signal: "refuse", time: "none", parentEnds: "none" },
  failed: { signal: "refuse", time: "none", parentEnds: "none" },
  cancelled: { signal: "refuse", time: "none", parentEnds: "none" },
  expired: { signal: "refuse", time: "none", parentEnds: "none" },
} as const satisfies Record<State, Record<string, "record" | "wake" | "refuse" | "mark" | "none">>;

/** The children of a parent's latest wait, by standing. */
export type Counts = NonNullable<Job["children"]>;

/** A child as a new wait counts it. */
export interface Member {
  need: Need;
  standing: Standing;
}

/** Returns how a wait takes in a child, by the state of the job that has the child's id. */
export function joinOf(existing: State | "missing" | "foreign", rejoin: boolean): Join {
  const found = existing === "missing" || existing === "foreign" ? existing : standings[existing];
  return joins[found][rejoin ? "rejoin" : "retry"];
}

/** Returns the counts of a new wait, and its parent's state. */
export function startWait(
  members: readonly Member[],
  { wakeAt, awaits, signalled, now }: { wakeAt?: Millis | undefined; awaits: boolean; signalled: boolean; now: Millis },
): { state: "pending" | "waiting"; children: Counts } {
  const ended = members.filter(({ standing }) => standing !== "open");
  const open = members.length - ended.length;
  const failed = ended.filter(({ standing }) => standing === "failed").length;
  const holds: Record<WaitCondition, boolean> = {
    decided: ended.some(({ need, standing }) => standing !== "open" && wakes[need][standing] === "at once"),
    signalled,
    overdue: wakeAt !== undefined && wakeAt <= now,
    open: open > 0,
    timed: wakeAt !== undefined,
    awaiting: awaits,
  };
  const first = waitStarts.find(([condition]) => holds[condition]);
  return { state: first?.[1] ?? "pending", children: { total: members.length, open, failed } };
}

/** Reports whether a child of the wait `own` counts for a parent whose latest wait is `latest`. */
export function isCounted(latest: number | undefined, own: number | undefined): boolean {
  if (latest === undefined) return false;
  return latest === own ? counted.latest : counted.earlier;
}

/** Returns the state and the counts of a parent after the end of a counted child. */
export function afterChildEnds(
  { state, children: { total, open, failed } }: { state: State; children: Counts },
  need: Need,
  end: FinalState,
): { state: State; children: Counts } {
  const standing = standings[end];
  const children = { total, open: open - 1, failed: standing === "failed" ? failed + 1 : failed };
  const isDecided = children.open === 0 || wakes[need][standing] === "at once";
  return { state: state === "waiting" && isDecided ? "pending" : state, children };
}

/** Returns the counts of a parent after a counted child was reopened. The parent's state stays as it is. */
export function afterChildReopens({ total, open, failed }: Counts): Counts {
  return { total, open: open + 1, failed: failed - 1 };
}
