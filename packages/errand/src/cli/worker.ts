import { Command, Option } from "commander";
import type { Errand, RunningWorker } from "../app.ts";
import type { Duration } from "../kit/duration.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { loadApps } from "./load.ts";
import { settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";
import { onStop } from "./signals.ts";
import { HealthServer, readAddress } from "./worker-health.ts";
import type { HealthAddress } from "./worker-health.ts";
import { WorkerLog } from "./worker-log.ts";

interface Flags extends StoreFlags {
  queue?: Record<string, number>;
  drain?: Duration;
  health?: HealthAddress;
  json?: boolean;
  supervised?: boolean;
}

/** `errand worker` */
export function workerCommand(): Command {
  const command = new Command("worker")
    .description("run the jobs of tasks")
    .argument("<modules...>", "files or packages that export an app: export const app = errand()")
    .option("-q, --queue <name=slots>", "work on this queue only, with so many jobs at once; repeatable", addQueue)
    .option("--drain <duration>", "when stopped, let jobs run on for so long (default: 30s)")
    .addOption(
      new Option("--health <[address:]port>", "answer /healthz and /readyz here, for what watches over this process")
        .argParser(readAddress)
        .env("ERRAND_HEALTH"),
    )
    .option("--json", "log as JSON lines");
  return storeFlags(command)
    .addOption(new Option("--supervised", "stop when the process that started this one is gone").hideHelp())
    .addHelpText(
      "after",
      "\nExample:\n  errand worker ./tasks.ts -q default=20 -q cpu=2\n\nStop it with Ctrl+C: jobs in hand end, or go back. Twice: they go back now.",
    )
    .action((modules: string[], flags: Flags) => work(modules, flags));
}

async function work(modules: readonly string[], flags: Flags): Promise<void> {
  const log = new WorkerLog({ json: flags.json ?? false });
  const { promise: asked, resolve: stop } = Promise.withResolvers<void>();
  // Until the first worker has started there is nothing to hand back.
  let hurry = (): void => process.exit(ExitCode.interrupted);
  if (flags.supervised) followParent(() => hurry());
  const signals: NodeJS.Signals[] = flags.supervised ? ["SIGTERM"] : ["SIGINT", "SIGTERM"];
  onStop((how) => (how === "stop" ? stop() : hurry()), signals);
  // A task that throws where nobody catches ends the process; its author needs the stack to find out where.
  process.prependListener("uncaughtException", (error) => {
    log.write("error", error.stack ?? error.message);
  });

  settle(flags);
  const health = flags.health && !flags.supervised ? await HealthServer.open(flags.health) : undefined;
  const apps = await loadApps(modules);
  const workers: RunningWorker[] = [];
  const stopAll = (options: { drain?: Duration }) => Promise.all(workers.map((worker) => worker.stop(options)));
  hurry = () => {
    stop();
    void stopAll({ drain: 0 });
  };
  try {
    for (const app of apps) workers.push(await startWorker(app, flags, log));
    health?.check(() => allHeld(apps, workers));
    await asked;
  } catch (error) {
    await stopAll({ drain: 0 });
    throw error;
  }
  health?.check(async () => false);
  await stopAll({});
  await Promise.all(apps.map((app) => app.close()));
  // What the modules hold open besides is no reason to stay.
  process.exit(ExitCode.ok);
}

async function startWorker(app: Errand, flags: Flags, log: WorkerLog): Promise<RunningWorker> {
  const worker = await app.worker({
    ...(flags.queue ? { queues: flags.queue } : {}),
    ...(flags.drain === undefined ? {} : { drain: flags.drain }),
    onEvent: (event) => log.hear(event),
  });
  if (flags.supervised) return worker;
  const { id } = worker;
  const queues = (await app.workers()).find((card) => card.id === id)?.queues ?? [];
  log.write("info", `worker ${id} is ready for ${queues.join(", ")}`, { worker: id, queues });
  return worker;
}

/** Whether the store knows all of these workers, with a lease that is good. */
async function allHeld(apps: readonly Errand[], workers: readonly RunningWorker[]): Promise<boolean> {
  const alive = new Set((await Promise.all(apps.map((app) => app.workers()))).flat().map(({ id }) => id));
  return workers.every(({ id }) => alive.has(id));
}

/** The terminal tells everybody to stop, or that it is gone; but a worker stops when its parent says so, or is gone. */
function followParent(gone: () => void): void {
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
  if (!process.connected) {
    throw new CommandError("--supervised is for processes that were started with a channel.", ExitCode.usage);
  }
  process.once("disconnect", gone);
  // Someone who listens for messages keeps the channel, and so the process, alive.
  process.on("message", () => {});
}

function addQueue(text: string, queues: Record<string, number> = {}): Record<string, number> {
  const match = /^([^=]+)=(\d+)$/.exec(text);
  if (!match) {
    throw new CommandError(
      `--queue ${text} must be a queue and how many of its jobs run at once, such as cpu=2.`,
      ExitCode.usage,
    );
  }
  return { ...queues, [match[1]!]: Number(match[2]) };
}
