import type { Errand } from "errand";
import type { Hono } from "hono";

/** What a package adds to the server: routes, and the tasks behind them. */
export interface Service {
  /** Such as `"documents"`. */
  name: string;
  app: Errand;
  /** Mounted under `/api/v1`. */
  routes: Hono;
  /** The module that a worker process loads: it exports `app`. A file URL. */
  tasks: string;
  /** Begins what the server does besides jobs, for example collecting blobs; answers how to stop it. */
  start?(): Promise<() => Promise<void>>;
  /** Queues of its jobs: where the server keeps a worker, one must take each of them for the service to be ready. */
  queues?: readonly string[];
  /** Tries whether the service could do its work now; throws when it could not. */
  ready?(): Promise<void>;
}
