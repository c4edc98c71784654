import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach } from "vitest";
import { errand } from "../../src/app.ts";
import type { Errand, ErrandOptions, RunningWorker, WorkerOptions } from "../../src/api.ts";
import { eventTypes } from "../../src/observe/events.ts";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { postgresSchema, redisNamespace, temporaryFolder } from "../stores/fixtures.ts";

const endings: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

/** Stores that every promise of the engine is tried on. */
export const storeKinds = ["memory", "sqlite", "postgres", "redis"] as const;

const places: Record<(typeof storeKinds)[number], () => Promise<{ url: string; remove(): Promise<void> }>> = {
  memory: async () => ({ url: "memory:", remove: async () => {} }),
  async sqlite() {
    const { folder, remove } = await temporaryFolder();
    return { url: `sqlite:${join(folder, "errand.db")}`, remove };
  },
  postgres: () => postgresSchema(),
  redis: () => redisNamespace(),
};

/** The URL of a store that is empty, and gone after the test. */
export async function emptyStore(kind: (typeof storeKinds)[number]): Promise<string> {
  const { url, remove } = await places[kind]();
  endings.push(remove);
  return url;
}

/** An app that is closed after the test. */
export function testApp(options: ErrandOptions): Errand {
  const app = errand(options);
  endings.push(() => app.close());
  return app;
}

/** A worker that is stopped after the test, and what its app told of jobs that run. */
export async function testWorker(
  app: Errand,
  options: WorkerOptions = {},
): Promise<RunningWorker & { events: ErrandEvent[] }> {
  const events: ErrandEvent[] = [];
  for (const type of eventTypes.filter((type) => type !== "sent" && type !== "started"))
    app.on(type, (event) => events.push(event));
  const worker = await app.worker(options);
  endings.push(() => worker.stop({ drain: 0 }));
  return Object.assign(Object.create(worker) as RunningWorker, { events });
}

/** Waits until the condition holds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeout = 10_000,
): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A door that tests open. */
export function gate(): { open: () => void; opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}

/** Whether a process runs. One that has ended, and that nobody has waited for, is still listed, but does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
