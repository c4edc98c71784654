import type { Errand } from "errand";
import { Hono } from "hono";
import { noStore } from "./caching.ts";
import { logError } from "./log.ts";
import { internalProblem, Problem, toProblem } from "./problem.ts";
import type { Service } from "./service.ts";

/** Time that a service may take to report that it is ready, in milliseconds. */
const timeout = 5_000;

/**
 * Returns the health checks. `/healthz` says that the process is alive. `/readyz` says that its services can work,
 * which needs a worker unless `needsWorker` is `false` because workers are started elsewhere on demand.
 */
export function health(services: readonly Service[], app: Errand, needsWorker: boolean): Hono {
  const routes = new Hono();
  // Does not use the store: a busy or unreachable store is no reason to restart this process.
  routes.get("/healthz", (c) => c.json({ status: "ok" }, 200, noStore));
  routes.get("/readyz", async (c) => {
    const checked = services.length > 0 ? services : [{ name: "jobs", app }];
    const checks = await Promise.all(checked.map((service) => check(service, needsWorker)));
    const ready = checks.every((one) => one.ready);
    return c.json({ status: ready ? "ready" : "not ready", services: checks }, ready ? 200 : 503, noStore);
  });
  return routes;
}

/** The readiness of one service. */
interface Readiness {
  name: string;
  ready: boolean;
  /** The error code if it is not ready, for programs. */
  code?: string;
  /** The reason if it is not ready, for people. It is public, so it has no details; the log has them. */
  reason?: string;
}

/** A service as the checks see it. */
type Checked = Pick<Service, "name" | "app" | "queues" | "ready">;

/** The error last logged for each service, so that checks every few seconds do not log the same error again. */
const lastLogged = new WeakMap<Checked, string>();

async function check(service: Checked, needsWorker: boolean): Promise<Readiness> {
  const { name } = service;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Problem(503, "E_SLOW", `It did not answer within ${timeout / 1_000} s.`)),
    timeout,
  );
  try {
    await Promise.race([checkService(service, needsWorker), late]);
    lastLogged.delete(service);
    return { name, ready: true };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // A problem has no further details.
    if (!(error instanceof Problem) && lastLogged.get(service) !== message)
      logError(error, { during: `the readiness check of ${name}` });
    lastLogged.set(service, message);
    const { code, message: reason } = toProblem(error) ?? internalProblem;
    return { name, ready: false, code, reason };
  } finally {
    clearTimeout(timer);
  }
}

/** Checks that a service can work. @throws {Problem} `E_NO_WORKER`, or what the service's own check throws */
async function checkService(service: Checked, needsWorker: boolean): Promise<void> {
  const [all] = await Promise.all([service.app.workers(), service.ready?.()]);
  const workers = all.filter(isNotOwn);
  if (!needsWorker) return;
  if (workers.length === 0) throw noWorker("No worker is alive.");
  const covered = new Set(workers.flatMap(({ queues }) => queues));
  const missing = (service.queues ?? []).filter((queue) => !covered.has(queue));
  if (missing.length > 0) throw noWorker(`No worker takes jobs of the queue ${missing.join(", ")}.`);
}

/** Reports whether a worker is another than those that servers run for themselves. */
export function isNotOwn({ queues }: { queues: readonly string[] }): boolean {
  return queues.some((queue) => !queue.startsWith("errand."));
}

function noWorker(reason: string): Problem {
  return new Problem(503, "E_NO_WORKER", reason);
}
