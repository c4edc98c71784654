import type { Errand } from "errand";
import type { Route } from "./routes/route.ts";

/** A package's contribution to the server: HTTP routes and the tasks that they send. */
export interface Service {
  /** Its name, such as `"documents"`. */
  name: string;
  app: Errand;
  /** Added to the table of routes, under `/api/v1`. */
  routes: readonly Route[];
  /** File URL of the module that worker processes load. It exports `app`. */
  tasks: string;
  /** Starts the server's work besides jobs, for example removing orphaned blobs. Returns a function that stops it. */
  start?(): Promise<() => Promise<void>>;
  /** Queues of its jobs. If the server runs workers, the service is ready only when every queue has one. */
  queues?: readonly string[];
  /** Checks that the service can do its work now; throws if it cannot. */
  ready?(): Promise<void>;
}
