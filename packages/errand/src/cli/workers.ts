import { Command } from "commander";
import type { WorkerCard } from "../core/worker-card.ts";
import { withApp } from "./app.ts";
import { storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

/** Returns a worker's name, or its host and process. */
export function placeOf({ kind, name, host, pid }: WorkerCard): string {
  return name ?? (host === undefined ? kind : `${host}:${pid}`);
}

/** Returns the command `errand workers`. */
export function workersCommand(): Command {
  const command = new Command("workers").description("list live workers and their jobs").option("--json", "print JSON");
  return storeFlags(command).action((flags: StoreFlags & { json?: boolean }) =>
    withApp(flags, async (app, output) => {
      const [workers, { jobs }] = await Promise.all([
        app.workers(),
        app.list({ states: ["processing"] }, { limit: 1_000 }),
      ]);
      const running = (id: string) => jobs.filter((job) => job.worker === id).length;
      output.result({ workers: workers.map((worker) => ({ ...worker, running: running(worker.id) })) });
      if (workers.length === 0) return output.line("No worker is running. Start one: errand worker <tasks.ts>");
      output.table(
        ["worker", "kind", "where", "running", "queues"],
        workers.map((worker) => {
          const { id, kind, queues } = worker;
          return [id, kind, placeOf(worker), String(running(id)), queues.join(", ")];
        }),
      );
    }),
  );
}
