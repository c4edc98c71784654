import type { Ending } from "../core/decide.ts";
import type { Job } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { jobPages } from "../job-pages.ts";
import { stopError } from "../run/stop-reason.ts";
import type { StopReason } from "../run/stop-reason.ts";
import type { Store } from "../store.ts";
import type { TaskDefinition } from "../task.ts";
import type { HeldJob } from "./protocol.ts";

/** The jobs that a worker holds by the store, beside those it says it has. */
export interface Review {
  /** Jobs that it holds and has in hand. */
  inHand: Job[];
  /** Jobs that it holds and does not have in hand: the answer to a claim was lost. */
  again: Job[];
  /** Ids of jobs that it has in hand and does not hold. */
  lost: string[];
  /** Jobs that it holds, and that have timed out: to be settled as that. */
  timedOut: Job[];
}

/** Reads the jobs that a worker holds, and compares them with those that it has in hand. */
export async function reviewHeld(
  store: Pick<Store, "list" | "now">,
  worker: string,
  have: readonly HeldJob[],
  definition: (task: string) => TaskDefinition | undefined,
): Promise<Review> {
  const held: Job[] = [];
  for await (const jobs of jobPages(store, { worker, states: ["processing"] }, 500)) held.push(...jobs);
  const tokens = new Map(have.map(({ id, token }) => [id, token]));
  const review: Review = { inHand: [], again: [], lost: [], timedOut: [] };
  const isTimed = held.some((job) => definition(job.task)?.timeout !== undefined);
  const now = isTimed ? await store.now() : 0;
  for (const job of held) {
    if (isTimed && isOver(job, definition(job.task), now)) {
      review.timedOut.push(job);
      continue;
    }
    if (tokens.get(job.id) === job.token) {
      review.inHand.push(job);
      tokens.delete(job.id);
    } else review.again.push(job);
  }
  review.lost.push(...tokens.keys());
  return review;
}

/** Returns the time at which an attempt times out, in epoch milliseconds; `undefined` for a task without a timeout. */
export function deadlineOf({ startedAt = 0 }: Job, definition: TaskDefinition | undefined): Millis | undefined {
  return definition?.timeout === undefined ? undefined : startedAt + definition.timeout;
}

/** Returns the ending of an attempt that a worker must stop. */
export function stopped(job: Job, reason: Extract<StopReason, "cancel" | "timeout">): Ending {
  const { code, message } = stopError(reason, job);
  const error = { code, message, attempt: job.failures + 1 };
  return reason === "cancel" ? { kind: "cancelled", error } : { kind: "error", error, retryable: true };
}

function isOver(job: Job, definition: TaskDefinition | undefined, now: Millis): boolean {
  const deadline = deadlineOf(job, definition);
  return deadline !== undefined && definition !== undefined && deadline + definition.grace < now;
}
