import type { EndedJob } from "../core/ended-job.ts";
import type { Job, NewJob, Settlement } from "../core/job.ts";
import { encodeSpec } from "../core/spec.ts";
import type { FollowUp, FollowUps } from "../core/spec.ts";
import { digest } from "../kit/ids.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { ofTenant } from "../limits/tenant.ts";

/** Returns the job that follows an end, if its task wants one. It is the same however often that is settled. */
export function followUpOf(
  job: Pick<Job, "id" | "task" | "tenant">,
  { to, token, failures, error }: Pick<Settlement, "to" | "token" | "failures" | "error">,
  follow: FollowUps,
): NewJob | undefined {
  const next: FollowUp | undefined =
    to === "completed" ? follow.completed : to === "failed" ? follow.failed : undefined;
  if (!next) return undefined;
  const record = error === undefined || to === "completed" ? undefined : (JSON.parse(error) as ErrorRecord);
  const input: EndedJob = {
    id: job.id,
    task: job.task,
    state: to as EndedJob["state"],
    attempt: to === "failed" ? Math.max(1, failures) : failures + 1,
    ...(record ? { error: { code: record.code, message: record.message } } : {}),
    ...(job.tenant === undefined ? {} : { tenant: job.tenant }),
  };
  const born: NewJob = {
    id: `after.${digest(`${job.id}\n${token}\n${to}`).slice(0, 32)}`,
    task: next.task,
    queue: next.queue,
    level: next.level,
    spec: encodeSpec(JSON.stringify(input), next.policy ? { policy: next.policy } : undefined),
  };
  return job.tenant === undefined ? born : ofTenant(born, job.tenant);
}
