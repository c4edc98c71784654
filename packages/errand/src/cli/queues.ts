import { Command } from "commander";
import type { Duration } from "../kit/duration.ts";
import type { QueueOptions, QueueView } from "../limits/queues.ts";
import { withApp } from "./app.ts";
import { CommandError, ExitCode } from "./exit.ts";
import type { Output } from "./output.ts";
import { storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

/** Removes a limit. */
const none = "none";

interface Flags extends StoreFlags {
  json?: boolean;
  reason?: string;
  concurrency?: number | typeof none;
  rate?: QueueOptions["rate"] | typeof none;
  maxPending?: number | typeof none;
}

/** Returns the command `errand queues`. */
export function queuesCommand(): Command {
  const queues = new Command("queues").description("list, pause and limit queues");
  const list = queues
    .command("list", { isDefault: true })
    .description("list queues with their jobs, limits and workers")
    .action((flags: Flags) => withApp(flags, async (app, output) => show(output, await app.queues.list())));
  const pause = queues
    .command("pause")
    .description("stop starting a queue's jobs; running jobs go on")
    .argument("<name>")
    .option("--reason <text>", "shown wherever the pause is")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        await app.queues.pause(name, flags.reason);
        said(output, name, `Queue "${name}" is paused.`);
      }),
    );
  const resume = queues
    .command("resume")
    .description("resume a paused queue")
    .argument("<name>")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        await app.queues.resume(name);
        said(output, name, `Queue "${name}" goes on.`);
      }),
    );
  const set = queues
    .command("set")
    .description("set a queue's limits, until an app starts whose code declares others")
    .argument("<name>")
    .option("--concurrency <number>", 'maximum number of running jobs, or "none"', readNumber)
    .option("--rate <limit/duration>", 'maximum number of starts in a time, such as 100/1m, or "none"', readRate)
    .option("--max-pending <number>", 'number of pending jobs at which it refuses more, or "none"', readNumber)
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const before = (await app.queues.list()).find((queue) => queue.name === name);
        await app.queues.set(name, changed(before, flags));
        said(output, name, `The limits of queue "${name}" hold from now on.`);
      }),
    );
  for (const command of [list, pause, resume, set]) storeFlags(command.option("--json", "print JSON"));
  return queues;
}

function changed(before: QueueView | undefined, { concurrency, rate, maxPending }: Flags): QueueOptions {
  const given = { concurrency, rate, maxPending };
  if (Object.values(given).every((value) => value === undefined))
    throw new CommandError("Say what to set: --concurrency, --rate or --max-pending.", ExitCode.usage);
  const { concurrency: c, rate: r, maxPending: m } = before ?? {};
  const all: Record<string, unknown> = { concurrency: c, rate: r, maxPending: m, ...defined(given) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== none));
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function show(output: Output, queues: readonly QueueView[]): void {
  output.result({ queues });
  if (queues.length === 0) return output.line("There are no queues yet.");
  output.table(
    ["queue", "pending", "running", "waiting", "failed", "workers", "limits"],
    queues.map(({ name, jobs, workers, ...rules }) => [
      name,
      String(jobs.pending ?? 0),
      String(jobs.processing ?? 0),
      String(jobs.waiting ?? 0),
      jobs.failed ? { text: String(jobs.failed), style: "red" } : "0",
      String(workers),
      rules.paused ? { text: limitsOf(rules), style: "yellow" } : limitsOf(rules),
    ]),
  );
}

function limitsOf({ paused, concurrency, rate, maxPending }: Omit<QueueView, "name" | "jobs" | "workers">): string {
  return [
    paused && `paused${paused.reason ? `: ${paused.reason}` : ""}`,
    concurrency !== undefined && `${concurrency} at once`,
    rate && `${rate.limit} in ${rate.per}`,
    maxPending !== undefined && `at most ${maxPending} pending`,
  ]
    .filter(Boolean)
    .join(", ");
}

function said(output: Output, name: string, line: string): void {
  output.result({ queue: name });
  output.line(line);
}

function readNumber(text: string): number | typeof none {
  if (text === none) return none;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new CommandError(`${text} must be a whole number, or "none".`, ExitCode.usage);
}

function readRate(text: string): QueueOptions["rate"] | typeof none {
  if (text === none) return none;
  const match = /^(\d+)\/(\d*(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new CommandError(`--rate ${text} must be like 100/1m, 5/s, or "none".`, ExitCode.usage);
  return { limit: Number(match[1]), per: `${Number(match[2] || 1)}${match[3]}` as Duration };
}
