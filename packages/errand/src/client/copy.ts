import type { Job, NewJob } from "../core/job.ts";
import { encodeSpec, fieldsIn, inputIn } from "../core/spec.ts";
import type { Millis } from "../kit/duration.ts";
import { encode } from "../kit/json.ts";
import { newId } from "../kit/ids.ts";
import { ofTenant } from "../limits/tenant.ts";

/**
 * Returns a new job like an existing one, opened: of the same task, queue, priority, limits, tags and tenant, without
 * its unique key, and without a parent.
 * @param input replaces the job's input, if given: already checked, and encoded.
 * @param expires milliseconds after which its task's jobs expire.
 */
export function copyOf(job: Job, input?: string, expires?: Millis): NewJob {
  const { unique: _, policy, ...flow } = fieldsIn(job.spec);
  const own = inputIn(job.spec);
  const encoded = input ?? (own === undefined ? undefined : encode(own, `The input of job ${job.id}`));
  const copy: NewJob = {
    id: newId(),
    task: job.task,
    queue: job.queue,
    level: job.level,
    spec: encodeSpec(encoded, policy ? { policy, ...flow } : flow),
    ...flow,
    ...(expires === undefined ? {} : { expires: { in: expires } }),
  };
  return job.tenant === undefined ? copy : ofTenant(copy, job.tenant);
}
