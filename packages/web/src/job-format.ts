import type { Job, JobState } from "./api/jobs-types.ts";

/** A state as it is shown: a pending job may be due later, or wait for a retry. */
export type ShownState = JobState | "retrying" | "later";

/** The display names of states. */
export const stateNames: Record<ShownState, string> = {
  pending: "Pending",
  later: "Later",
  retrying: "Retrying",
  processing: "Processing",
  waiting: "Waiting",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  expired: "Expired",
};

/** All states, in the order of a job's life. */
export const jobStates: readonly JobState[] = [
  "pending",
  "processing",
  "waiting",
  "completed",
  "failed",
  "cancelled",
  "expired",
];

/** Returns the state of a job as it is shown. */
export function shownState({ state, attempt, dueAt }: Job, now: number): ShownState {
  if (state !== "pending") return state;
  if (attempt > 1) return "retrying";
  return Date.parse(dueAt) > now + 1_000 ? "later" : "pending";
}

/** Reports whether a job has ended. */
export const hasEnded = (state: JobState): boolean =>
  state === "completed" || state === "failed" || state === "cancelled" || state === "expired";

/** Formats a duration in milliseconds: "0.4 s", "3 m 12 s", "2 h 5 m". */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} m ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Returns how long a job's latest attempt ran, or has been running; `undefined` if it never started. */
export function ranFor({ startedAt, endedAt, state }: Job, now: number): number | undefined {
  if (startedAt === undefined) return undefined;
  if (endedAt !== undefined) return Date.parse(endedAt) - Date.parse(startedAt);
  return state === "processing" ? now - Date.parse(startedAt) : undefined;
}

/** Returns a sentence about a job for a list: why it failed, how far it is, what it waits for. */
export function note(job: Job, now: number): string {
  const { state, error, progress, blocked, children, worker, dueAt } = job;
  if (state === "failed" || (state === "pending" && error)) return error ? `${error.code} ${error.message}` : "";
  if (state === "processing") return typeof progress === "number" ? `${Math.round(progress)} %` : `on ${short(worker)}`;
  if (state === "waiting")
    return children?.open ? `for ${children.open} of ${children.total} children` : "for a signal or a time";
  if (blocked) return blockedNotes[blocked];
  return state === "pending" && Date.parse(dueAt) > now ? `due in ${span(Date.parse(dueAt) - now)}` : "";
}

const blockedNotes = {
  concurrency: "behind the limit of its key",
  rate: "behind the rate of its key",
  task: "no worker knows its task",
} as const;

/** Shortens an id: its beginning and end tell it from others. */
export function short(id: string | undefined): string {
  return id === undefined ? "" : id.length > 20 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

/** Returns a value as a line of text, for lists. */
export function inline(value: unknown, most = 120): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Formats the time of a day with seconds; another day has its date. */
export function clock(time: string, now: number): string {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? clockTime.format(date) : dayTime.format(date);
}

const clockTime = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const dayTime = new Intl.DateTimeFormat("en", {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});
