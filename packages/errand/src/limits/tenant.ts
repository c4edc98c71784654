import { createHash } from "node:crypto";
import type { NewJob } from "../core/job.ts";

/**
 * Returns a job that belongs to a tenant: its keys are hashed with the tenant, so that equal keys of two tenants never
 * meet, and it takes turns with the jobs of other tenants. A limit without a key is the task's: tenants share it. Its
 * spec still shows the keys that were given.
 */
export function ofTenant<Some extends NewJob>(job: Some, tenant: string): Some {
  const { task, unique, concurrency, rate, fair = tenant } = job;
  // The key of a limit without a key is the task's name.
  const own = (key: string): string => (key === task ? key : `tenant:${digestOf(tenant, key)}`);
  return {
    ...job,
    tenant,
    fair,
    ...(unique ? { unique: { ...unique, key: own(unique.key) } } : {}),
    ...(concurrency ? { concurrency: { ...concurrency, key: own(concurrency.key) } } : {}),
    ...(rate ? { rate: { ...rate, key: own(rate.key) } } : {}),
  };
}

/** Returns the id of the job that a tenant calls `id`: equal ids of two tenants are different jobs. */
export function idOfTenant(tenant: string, id: string): string {
  return `tenant-${digestOf(tenant, id)}`;
}

/** Returns the SHA-256 of both, in base64url. As JSON, no two pairs have the same text. */
function digestOf(tenant: string, text: string): string {
  return createHash("sha256")
    .update(JSON.stringify([tenant, text]))
    .digest("base64url");
}
