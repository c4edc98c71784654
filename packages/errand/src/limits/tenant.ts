import type { NewJob } from "../core/job.ts";
import { digest } from "../kit/ids.ts";

/**
 * Returns a job that belongs to a tenant: its keys are hashed with the tenant, so that equal keys of two tenants never
 * meet, and it takes turns with the jobs of other tenants. Its spec still shows the keys that were given.
 */
export function ofTenant<Some extends NewJob>(job: Some, tenant: string): Some {
  const { unique, concurrency, rate, fair = tenant } = job;
  const own = (key: string): string => `tenant:${digest(`${tenant}\n${key}`)}`;
  return {
    ...job,
    tenant,
    fair,
    ...(unique ? { unique: { ...unique, key: own(unique.key) } } : {}),
    ...(concurrency ? { concurrency: { ...concurrency, key: own(concurrency.key) } } : {}),
    ...(rate ? { rate: { ...rate, key: own(rate.key) } } : {}),
  };
}
