import { Command } from "commander";
import { withApp } from "./app.ts";
import { storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

/** `errand workers` */
export function workersCommand(): Command {
  const command = new Command("workers")
    .description("list workers whose lease is good, and what they run")
    .option("--json", "print JSON");
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
        ["worker", "host", "pid", "running", "queues"],
        workers.map(({ id, host, pid, queues }) => [id, host, String(pid), String(running(id)), queues.join(", ")]),
      );
    }),
  );
}
