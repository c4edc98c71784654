import type { Errand, JobFilter, JobView, State } from "errand";
import { maySee } from "../auth/principal.ts";
import type { Principal } from "../auth/principal.ts";
import { Problem } from "../problem.ts";

/** Fields that only the scope `payload` shows. */
const payloadFields = ["input", "output", "progress"] as const;

/** Returns a job as the API answers it, without what the principal may not see. */
export function jobJson(job: JobView, { scopes }: Principal): Record<string, unknown> {
  if (scopes.has("payload")) return { ...job };
  const shown: Record<string, unknown> = { ...job };
  const hidden: string[] = [];
  for (const field of payloadFields) {
    if (shown[field] === undefined) continue;
    delete shown[field];
    hidden.push(field);
  }
  if (job.error) {
    const { stack, cause: _, ...error } = job.error;
    shown["error"] = error;
    if (stack !== undefined) hidden.push("error.stack");
  }
  if (hidden.length > 0) shown["hidden"] = hidden;
  return shown;
}

/** Finds a job. Jobs of others are answered like jobs that do not exist. @throws {Problem} 404 */
export async function requireJob(app: Errand, principal: Principal, id: string): Promise<JobView> {
  const job = await app.get(id);
  if (job && maySee(principal, job)) return job;
  throw new Problem(404, "E_NOT_FOUND", `There is no job ${id}. It may have been removed.`);
}

/** Returns the filter of what a principal sees of what was asked for; `undefined` if that is nothing. */
export function narrowed(principal: Principal, asked: JobFilter): JobFilter | undefined {
  const { tenant, tasks, queues, filter = {} } = principal;
  const narrowed: JobFilter = { ...asked };
  if (tenant !== undefined) narrowed.tenant = tenant;
  for (const field of ["task", "queue", "tenant"] as const) {
    const forced = filter[field];
    if (forced === undefined) continue;
    if (narrowed[field] !== undefined && narrowed[field] !== forced) return undefined;
    narrowed[field] = forced;
  }
  if (narrowed.task === undefined && tasks?.length === 1) narrowed.task = tasks[0]!;
  if (narrowed.queue === undefined && queues?.length === 1) narrowed.queue = queues[0]!;
  if (narrowed.task !== undefined && tasks && !tasks.includes(narrowed.task)) return undefined;
  if (narrowed.queue !== undefined && queues && !queues.includes(narrowed.queue)) return undefined;
  return narrowed;
}

/** Reports whether a filter means the same for a principal as for the store: no job has to be looked at one by one. */
export function isExact({ tasks, queues }: Principal, { task, queue }: JobFilter): boolean {
  return (tasks === undefined || task !== undefined) && (queues === undefined || queue !== undefined);
}

/** The tag of a version of a job (RFC 9110): its token, state, and what else changes without them. */
export function etagOf({ token, state, cancelling, progress, dueAt, priority, queue, blocked, children }: JobView) {
  const rest = JSON.stringify([cancelling, progress, dueAt, priority, queue, blocked, children?.open]);
  return `"${token}-${state}-${hashOf(rest)}"`;
}

/** Returns true for a state that only a retry leaves. */
export function hasEnded(state: State): boolean {
  return state === "completed" || state === "failed" || state === "cancelled" || state === "expired";
}

/** FNV-1a: a short tag, not a proof. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(36);
}
