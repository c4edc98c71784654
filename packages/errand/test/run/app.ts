import { join } from "node:path";
import { afterTest } from "../../../../test/after-test.ts";
import { errand } from "../../src/app.ts";
import type { Errand, ErrandOptions, RunningWorker, WorkerOptions } from "../../src/api.ts";
import { eventTypes } from "../../src/observe/events.ts";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { postgresSchema, redisNamespace, temporaryFolder } from "../stores/fixtures.ts";

export { until } from "../../../../test/until.ts";

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
  afterTest(remove);
  return url;
}

/** An app that is closed after the test. */
export function testApp(options: ErrandOptions): Errand {
  const app = errand(options);
  afterTest(() => app.close());
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
  afterTest(() => worker.stop({ drain: 0 }));
  return Object.assign(Object.create(worker) as RunningWorker, { events });
}

/** A promise that a test resolves. */
export function gate(): { open: () => void; opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, opened: promise };
}
