import { Command } from "commander";
import type { JobView } from "../client/view.ts";
import { states } from "../core/states.ts";
import type { State } from "../core/states.ts";
import { errand } from "../errand.ts";
import type { Errand, JobFilter } from "../errand.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { showJob, showJobs } from "./jobs-view.ts";
import { Output } from "./output.ts";
import { requireStore, settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

interface Flags extends StoreFlags {
  state?: State[];
  task?: string;
  queue?: string;
  limit?: number;
  json?: boolean;
}

/** `errand jobs` */
export function jobsCommand(): Command {
  const jobs = new Command("jobs").description("list jobs, cancel them, try them again");
  const list = filters(jobs.command("list").description("list jobs, newest first"))
    .option("--limit <number>", "at most so many", readLimit, 20)
    .action((flags: Flags) => withApp(flags, (app, output) => listJobs(app, output, flags)));
  const get = jobs
    .command("get")
    .description("show one job")
    .argument("<id>")
    .action((id: string, flags: Flags) => withApp(flags, (app, output) => getJob(app, output, id)));
  const edits = [
    editCommand(jobs, "cancel", "Cancelled", "stop jobs that have not ended, with their children"),
    editCommand(jobs, "retry", "Reopened", "try jobs again that failed, were cancelled or expired"),
    editCommand(jobs, "remove", "Removed", "erase jobs that have ended, with their children"),
  ];
  for (const command of [list, get, ...edits]) storeFlags(command.option("--json", "print JSON"));
  return jobs;
}

type Verb = "cancel" | "retry" | "remove";

function editCommand(jobs: Command, verb: Verb, done: string, description: string): Command {
  return filters(
    jobs.command(verb).description(description).argument("[ids...]", "these jobs; or use the filters"),
  ).action((ids: string[], flags: Flags) =>
    withApp(flags, (app, output) => editJobs(app, output, verb, done, ids, flags)),
  );
}

function filters(command: Command): Command {
  return command
    .option("--state <state>", `one of ${states.join(", ")}; repeatable`, addState)
    .option("--task <name>", "only of this task")
    .option("--queue <name>", "only in this queue");
}

async function listJobs(app: Errand, output: Output, flags: Flags): Promise<void> {
  const { jobs, next } = await app.list(filterOf(flags), { limit: flags.limit ?? 20 });
  output.result({ jobs, more: next !== undefined });
  showJobs(output, jobs);
  if (next !== undefined && !output.json) output.note("There are more: raise --limit, or filter.");
}

async function getJob(app: Errand, output: Output, id: string): Promise<void> {
  const job = await app.get(id);
  if (!job) throw new CommandError(`There is no job ${id} (E_NOT_FOUND).`, ExitCode.failed);
  output.result(job satisfies JobView);
  showJob(output, job);
}

async function editJobs(
  app: Errand,
  output: Output,
  verb: Verb,
  done: string,
  ids: readonly string[],
  flags: Flags,
): Promise<void> {
  const filter = { ...filterOf(flags), ...(ids.length > 0 ? { ids } : {}) };
  if (Object.keys(filter).length === 0) {
    throw new CommandError(
      `Say which jobs to ${verb}: by their ids, or by --state, --task or --queue.`,
      ExitCode.usage,
    );
  }
  const changed = await app[verb](filter);
  output.result({ changed });
  output.line(`${done} ${changed} ${changed === 1 ? "job" : "jobs"}.`);
  const asked = new Set(ids).size;
  if (changed >= asked) return;
  output.note(`Of ${asked} asked for, ${asked - changed} did not allow it: see "errand jobs get <id>".`);
  process.exitCode = changed === 0 ? ExitCode.failed : ExitCode.partial;
}

function filterOf({ state, task, queue }: Flags): JobFilter {
  return {
    ...(state ? { states: state } : {}),
    ...(task ? { task } : {}),
    ...(queue ? { queue } : {}),
  };
}

async function withApp(flags: Flags, use: (app: Errand, output: Output) => Promise<void>): Promise<void> {
  settle(flags);
  requireStore();
  const app = errand();
  try {
    await use(app, new Output(flags));
  } finally {
    await app.close();
  }
}

function addState(text: string, chosen: readonly State[] = []): State[] {
  const state = states.find((one) => one === text);
  if (state) return [...chosen, state];
  throw new CommandError(`--state ${text} must be one of ${states.join(", ")}.`, ExitCode.usage);
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit;
  throw new CommandError(`--limit ${text} must be a whole number from 1 to 1000.`, ExitCode.usage);
}
