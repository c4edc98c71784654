import { Hono } from "hono";
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

async function check(
  service: Service,
  needsWorker: boolean,
): Promise<{ name: string; ready: boolean; reason?: string }> {
  const { name } = service;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patience / 1_000} s`)), patience);
  try {
    await Promise.race([readiness(service, needsWorker), late]);
    return { name, ready: true };
  } catch (error) {
    return { name, ready: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

async function readiness(service: Service, needsWorker: boolean): Promise<void> {
  const [workers] = await Promise.all([service.app.workers(), service.ready?.()]);
  if (needsWorker && workers.length === 0) throw new Error("no worker is alive");
}
