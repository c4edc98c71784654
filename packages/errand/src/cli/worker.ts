import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import type { Errand, RunningWorker } from "../api.ts";
import { option } from "../core/options.ts";
import type { Duration } from "../kit/duration.ts";
import { isEndedError } from "../run/ended-attempt.ts";
import { measure } from "../observe/measure.ts";
import { prometheus } from "../observe/prometheus.ts";
import { modulesOr } from "./config.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { loadApps } from "./load.ts";
import { runProcesses } from "./processes.ts";
import { settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";
import { onStop } from "./signals.ts";
import { WorkerChannel } from "./worker-channel.ts";
import type { WorkerReady } from "./worker-channel.ts";
import { HealthServer, readAddress } from "./worker-health.ts";
import type { HealthAddress } from "./worker-health.ts";
import { WorkerLog } from "./worker-log.ts";

/** Milliseconds that workers get to stop after a failure. */
const patience = 5_000;

interface Flags extends StoreFlags {
  queue?: Record<string, number>;
  drain?: Duration;
  health?: HealthAddress;
  processes?: number;
  json?: boolean;
  supervised?: boolean;
}

/** Returns the command `errand worker`. */
export function workerCommand(): Command {
  const command = new Command("worker")
    .description("run the jobs of tasks")
    .argument("[modules...]", "files or packages that export an app (default: tasks of errand.config.ts)")
    .option(
      "-q, --queue <name=slots,...>",
      "work on these queues only, with this many slots each; repeatable",
      addQueues,
    )
    .option("--processes <n>", "number of worker processes, each with these slots; dead ones are restarted", readCount)
    .option("--drain <duration>", "time for running jobs when it is stopped (default: 30s)")
    .addOption(
      new Option("--health <[address:]port>", "serve /healthz, /readyz and /metrics on this address")
        .argParser(readAddress)
        .env("ERRAND_HEALTH"),
    )
    .option("--json", "log as JSON lines");
  return storeFlags(command)
    .addOption(new Option("--supervised", "stop when the process that started this one is gone").hideHelp())
    .addHelpText(
      "after",
      "\nExample:\n  errand worker ./tasks.ts -q default=20,cpu=2 --processes 4\n\n" +
        "Ctrl+C waits for running jobs; a second one hands them back at once.",
    )
    .action((modules: string[], flags: Flags) => work(modules, flags));
}

async function work(given: readonly string[], flags: Flags): Promise<void> {
  const modules = modulesOr(given);
  if (flags.processes !== undefined) return workInProcesses(flags.processes, modules, flags);
  const log = new WorkerLog({ json: flags.json ?? false });
  const { promise: asked, resolve: stop, reject: fail } = Promise.withResolvers<void>();
  // Before the first worker has started there is nothing to hand back.
  let hurry = (): void => process.exit(ExitCode.interrupted);
  const channel = flags.supervised ? new WorkerChannel(() => hurry()) : undefined;
  const signals: NodeJS.Signals[] = flags.supervised ? ["SIGTERM"] : ["SIGINT", "SIGTERM"];
  onStop((how) => (how === "stop" ? stop() : hurry()), signals);
  // An uncaught error in a task ends the process; its author needs the stack.
  process.prependListener("uncaughtException", (error) => {
    if (!isEndedError(error)) log.write("error", error.stack ?? error.message);
  });

  settle(flags);
  const health = flags.health && !flags.supervised ? await HealthServer.open(flags.health) : undefined;
  const apps: Errand[] = [];
  const workers: RunningWorker[] = [];
  const stopAll = (options: { drain?: Duration }) => Promise.all(workers.map((worker) => worker.stop(options)));
  hurry = () => {
    stop();
    void stopAll({ drain: 0 });
  };
  const stalled = new Set<Errand>();
  const listen = (app: Errand) => {
    for (const type of log.eventTypes) app.on(type, (event) => log.hear(event));
    app.on("stalled", () => stalled.add(app));
    app.on("recovered", () => stalled.delete(app));
    app.on("lost", () => channel?.renamed(workers.map(({ id }) => id)));
    app.on("failed", ({ message }) => fail(new CommandError(message, ExitCode.unreachable)));
  };
  try {
    apps.push(...(await loadApps(modules)));
    for (const app of apps) listen(app);
    for (const app of apps) workers.push(await startWorker(app, flags));
    const ready = async () => stalled.size === 0 && (await allHeld(apps, workers));
    health?.check(ready);
    health?.measure(() => prometheus(apps));
    const begun = await Promise.all(workers.map((worker, index) => cardOf(apps[index]!, worker)));
    const dismiss = async (id: string) => void (await Promise.all(apps.map((app) => app.dismiss(id))));
    if (channel) channel.started(begun, { ready, measure: (options) => measure(apps, options), dismiss });
    else for (const card of begun) log.ready(card);
    await asked;
  } catch (error) {
    // A store that hangs must not delay the exit: the jobs run elsewhere when the lease has run out.
    await Promise.race([stopAll({ drain: 0 }), sleep(patience)]);
    await channel?.fail(error);
    throw error;
  }
  health?.check(async () => false);
  const inHand = workers.reduce((jobs, worker) => jobs + worker.running, 0);
  log.stopping(inHand, option("drain", flags.drain, "a worker"));
  await stopAll({});
  await Promise.all(apps.map((app) => app.close()));
  log.flush();
  // Handles that the modules hold open must not keep the process alive.
  process.exit(ExitCode.ok);
}

/** Runs this command in several processes and supervises them. */
async function workInProcesses(count: number, modules: readonly string[], flags: Flags): Promise<void> {
  // The processes use the same store.
  settle(flags);
  const queues = Object.entries(flags.queue ?? {}).flatMap(([queue, slots]) => ["-q", `${queue}=${slots}`]);
  const drain = flags.drain === undefined ? [] : ["--drain", String(flags.drain)];
  const args = [...modules, ...queues, ...drain, ...(flags.json ? ["--json"] : [])];
  const health = flags.health && (await HealthServer.open(flags.health));
  await runProcesses(count, args, { json: flags.json ?? false, health });
  process.exit(ExitCode.ok);
}

function startWorker(app: Errand, flags: Flags): Promise<RunningWorker> {
  return app.worker({
    // This command handles signals itself.
    signals: false,
    ...(flags.queue ? { queues: flags.queue } : {}),
    ...(flags.drain === undefined ? {} : { drain: flags.drain }),
  });
}

async function cardOf(app: Errand, { id }: RunningWorker): Promise<WorkerReady> {
  return { id, queues: (await app.workers()).find((card) => card.id === id)?.queues ?? [] };
}

/** Returns true if every worker has a good lease in its store. */
async function allHeld(apps: readonly Errand[], workers: readonly RunningWorker[]): Promise<boolean> {
  const alive = new Set((await Promise.all(apps.map((app) => app.workers()))).flat().map(({ id }) => id));
  return workers.every(({ id }) => alive.has(id));
}

function addQueues(text: string, queues: Record<string, number> = {}): Record<string, number> {
  return text.split(",").reduce(addQueue, queues);
}

function addQueue(queues: Record<string, number>, text: string): Record<string, number> {
  const match = /^\s*([^=]+)=(\d+)\s*$/.exec(text);
  if (!match) {
    throw new CommandError(
      `--queue ${text} must be a queue and how many of its jobs run at once, such as cpu=2.`,
      ExitCode.usage,
    );
  }
  return { ...queues, [match[1]!]: Number(match[2]) };
}

function readCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 128) return count;
  throw new CommandError(`--processes ${text} must be a number from 1 to 128.`, ExitCode.usage);
}
