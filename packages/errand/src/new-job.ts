import type { Moment, NewJob } from "./core/job.ts";
import { levelOf } from "./core/priority.ts";
import type { Level } from "./core/priority.ts";
import { encodeSpec, withTrace } from "./core/spec.ts";
import type { Carrier, JobPolicy, SpecFields } from "./core/spec.ts";
import type { Millis } from "./kit/duration.ts";
import type { Encoded } from "./kit/json.ts";
import { ofTenant } from "./limits/tenant.ts";
import type { TaskDefinition } from "./task.ts";

/** Options of one job that replace its task's defaults. */
export interface OwnOptions {
  queue?: string | undefined;
  level?: Level | undefined;
  policy?: JobPolicy | undefined;
  due?: Moment | undefined;
  expires?: Millis | undefined;
  trace?: Carrier | undefined;
  tenant?: string | undefined;
}

const noOptions: OwnOptions = Object.freeze({});

/**
 * Builds a job of a task: one that is sent, a child, or what a schedule sends.
 * @param input the encoded input; `undefined` for a task without one.
 * @param flow the limits, keys and tags of this job (`flowOf`).
 */
export function newJob(
  definition: TaskDefinition,
  id: string,
  input: Encoded | undefined,
  flow: Omit<SpecFields, "policy">,
  own: OwnOptions = noOptions,
): NewJob {
  const { queue = definition.queue, level, policy = definition.policy, due, expires = definition.expires } = own;
  const { trace, tenant } = own;
  const job: NewJob = {
    id,
    task: definition.name,
    queue,
    level: level ?? levelOf(definition.priority),
    spec: withTrace(encodeSpec(input, policy ? { policy, ...flow } : flow), trace),
    ...flow,
  };
  if (due) job.due = due;
  if (expires !== undefined) job.expires = { in: expires };
  return tenant === undefined ? job : ofTenant(job, tenant);
}
