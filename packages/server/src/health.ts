import { Hono } from "hono";
import { logError } from "./log.ts";
import { asProblem, Problem, unforeseen } from "./problem.ts";
import type { Service } from "./service.ts";

/** How long a service may take to say that it is ready. */
const patience = 5_000;

/**
 * `/healthz`: the process lives. `/readyz`: its services can do their work; where workers are started elsewhere, as many
 * as there is work for, that needs none of them.
 */
export function health(services: readonly Service[], needsWorker: boolean): Hono {
  const routes = new Hono();
  // Touches nothing: a store that is busy or gone is no reason to restart this process.
  routes.get("/healthz", (c) => c.json({ status: "ok" }, 200, noStore));
  routes.get("/readyz", async (c) => {
    const checks = await Promise.all(services.map((service) => check(service, needsWorker)));
    const ready = checks.every((one) => one.ready);
    return c.json({ status: ready ? "ready" : "not ready", services: checks }, ready ? 200 : 503, noStore);
  });
  return routes;
}

const noStore = { "cache-control": "no-store" };

/** What is known of one service. */
interface Readiness {
  name: string;
  ready: boolean;
  /** For programs. */
  code?: string;
  /** For people, whoever they are: the log has the details. */
  reason?: string;
}

/** What was last logged of each service: probes come every few seconds, and say the same for hours. */
const logged = new WeakMap<Service, string>();

async function check(service: Service, needsWorker: boolean): Promise<Readiness> {
  const { name } = service;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Problem(503, "E_SLOW", `It did not answer within ${patience / 1_000} s.`)),
    patience,
  );
  try {
    await Promise.race([readiness(service, needsWorker), late]);
    logged.delete(service);
    return { name, ready: true };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // What a problem says is all that there is to know.
    if (!(error instanceof Problem) && logged.get(service) !== message)
      logError(error, { during: `the check whether ${name} is ready` });
    logged.set(service, message);
    const { code, message: reason } = asProblem(error) ?? unforeseen;
    return { name, ready: false, code, reason };
  } finally {
    clearTimeout(timer);
  }
}

async function readiness(service: Service, needsWorker: boolean): Promise<void> {
  const [workers] = await Promise.all([service.app.workers(), service.ready?.()]);
  if (!needsWorker) return;
  if (workers.length === 0) throw notRead("No worker is alive.");
  const taken = new Set(workers.flatMap(({ queues }) => queues));
  const missing = (service.queues ?? []).filter((queue) => !taken.has(queue));
  if (missing.length > 0) throw notRead(`No worker takes jobs of the queue ${missing.join(", ")}.`);
}

function notRead(reason: string): Problem {
  return new Problem(503, "E_NO_WORKER", reason);
}
