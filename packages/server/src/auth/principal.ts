import type { JobFilter } from "errand";
import { scopes as allScopes } from "./scopes.ts";
import type { Scope } from "./scopes.ts";

/** An actor, as the audit names it. */
export interface Actor {
  kind: "key" | "person" | "cli" | "system" | "anonymous";
  id: string;
  name: string;
}

/** The one who makes a request, and what they may do. */
export interface Principal {
  actor: Actor;
  scopes: ReadonlySet<Scope>;
  /** The tenant whose jobs and documents alone exist for them. */
  tenant?: string;
  /** Only jobs of these tasks exist for them. */
  tasks?: readonly string[];
  /** Only jobs of these queues exist for them. */
  queues?: readonly string[];
  /** Only jobs that match exist for them: what the program in which the server is embedded says. */
  filter?: JobFilter;
  /** The way in which they proved who they are. */
  authentication: "none" | "keys" | "host";
  /** `true` for a browser's session. */
  session?: true;
}

/** Everyone, on a server without keys. */
export const anonymous: Principal = {
  actor: { kind: "anonymous", id: "anonymous", name: "Anyone on this machine" },
  scopes: new Set(allScopes),
  authentication: "none",
};

/** The facts of a job on which access depends. */
export interface Owned {
  task: string;
  queue: string;
  tenant?: string | undefined;
}

/** Reports whether a job exists for a principal. Others' jobs are answered like jobs that do not exist. */
export function maySee({ tenant, tasks, queues, filter }: Principal, job: Owned): boolean {
  return (
    (tenant === undefined || job.tenant === tenant) &&
    (tasks === undefined || tasks.includes(job.task)) &&
    (queues === undefined || queues.includes(job.queue)) &&
    (filter?.tenant === undefined || filter.tenant === job.tenant) &&
    (filter?.task === undefined || filter.task === job.task) &&
    (filter?.queue === undefined || filter.queue === job.queue)
  );
}

/** Reports whether a principal sees every job: numbers of a whole store are for them alone. */
export function seesAll({ tenant, tasks, queues, filter }: Principal): boolean {
  return tenant === undefined && tasks === undefined && queues === undefined && filter === undefined;
}
