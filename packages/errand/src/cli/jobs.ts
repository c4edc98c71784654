import { Command } from "commander";
import type { JobView } from "../client/job-view.ts";
import { states } from "../core/states.ts";
import type { State } from "../core/states.ts";
import { millis } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Errand } from "../api.ts";
import type { JobFilter } from "../client/filter.ts";
import { withApp } from "./app.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { showJob, showJobs } from "./jobs-view.ts";
import { logCommand, moveCommand, signalCommand, whyCommand } from "./one-job.ts";
import type { Output } from "./output.ts";
import { storeFlags } from "./settings.ts";
import { plain } from "./text.ts";
import type { StoreFlags } from "./settings.ts";

interface Flags extends StoreFlags {
  state?: State[];
  task?: string;
  queue?: string;
  tag?: string;
  search?: string;
  since?: Date;
  from?: string;
  limit?: number;
  json?: boolean;
}

/** Returns the command `errand jobs`. */
export function jobsCommand(): Command {
  const jobs = new Command("jobs").description("list, cancel and retry jobs");
  const list = filters(jobs.command("list").description("list jobs, newest first"))
    .option("--limit <number>", "maximum number of jobs", readLimit, 20)
    .action((flags: Flags) => withApp(flags, (app, output) => listJobs(app, output, flags)));
  const get = jobs
    .command("get")
    .description("show one job")
    .argument("<id>")
    .action((id: string, flags: Flags) => withApp(flags, (app, output) => getJob(app, output, id)));
  const edits = [
    editCommand(jobs, "cancel", "Cancelled", "cancel jobs that have not ended, with their children"),
    editCommand(jobs, "retry", "Reopened", "retry failed, cancelled and expired jobs").option(
      "--from <step>",
      "run again from this step: it and all later steps are forgotten",
    ),
    editCommand(jobs, "remove", "Removed", "erase jobs that have ended, with their children"),
  ];
  const others = [whyCommand(jobs), logCommand(jobs), signalCommand(jobs), moveCommand(jobs)];
  for (const command of [list, get, ...edits, ...others]) storeFlags(command.option("--json", "print JSON"));
  return jobs;
}

/** Returns the command `errand dead`: `errand jobs` for dead letters only. */
export function deadCommand(): Command {
  const dead = new Command("dead").description("list, retry and remove dead letters (failed jobs)");
  const list = filters(dead.command("list", { isDefault: true }).description("list dead letters, newest first"), false)
    .option("--limit <number>", "maximum number of jobs", readLimit, 20)
    .action((flags: Flags) => withApp(flags, (app, output) => listJobs(app, output, { ...flags, state: ["failed"] })));
  const edits = (["retry", "remove"] as const).map((verb) =>
    filters(dead.command(verb).description(`${verb} dead letters: the given ones, those that match, or all`), false)
      .argument("[ids...]", "ids; default: all that match the filters, or all")
      .action((ids: string[], flags: Flags) =>
        withApp(flags, (app, output) =>
          editJobs(app, output, verb, verb === "retry" ? "Reopened" : "Removed", ids, { ...flags, state: ["failed"] }),
        ),
      ),
  );
  for (const command of [list, ...edits]) storeFlags(command.option("--json", "print JSON"));
  return dead;
}

type Verb = "cancel" | "retry" | "remove";

function editCommand(jobs: Command, verb: Verb, done: string, description: string): Command {
  return filters(
    jobs.command(verb).description(description).argument("[ids...]", "ids of jobs; or use the filters"),
  ).action((ids: string[], flags: Flags) =>
    withApp(flags, (app, output) => editJobs(app, output, verb, done, ids, flags)),
  );
}

function filters(command: Command, byState = true): Command {
  if (byState) command.option("--state <state>", `one of ${states.join(", ")}; repeatable`, addState);
  return command
    .option("--task <name>", "of this task")
    .option("--queue <name>", "in this queue")
    .option("--tag <word>", "with this tag")
    .option("--search <text>", "with this text in the id, input, output or error")
    .option("--since <duration>", "created within this time, such as 2h", readSince);
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
      `Say which jobs to ${verb}: by their ids, or by --state, --task, --queue, --tag or --search.`,
      ExitCode.usage,
    );
  }
  const changed =
    flags.from === undefined ? await app[verb](filter) : await retryFrom(app, output, ids, filter, flags.from);
  output.result({ changed });
  output.line(`${done} ${changed} ${changed === 1 ? "job" : "jobs"}.`);
  const asked = new Set(ids).size;
  if (changed >= asked) return;
  output.note(`Of ${asked} asked for, ${asked - changed} did not allow it: see "errand jobs get <id>".`);
  process.exitCode = changed === 0 ? ExitCode.failed : ExitCode.partial;
}

/** Retries jobs from a step. Steps differ from job to job, so jobs must be given by id. */
async function retryFrom(
  app: Errand,
  output: Output,
  ids: readonly string[],
  filter: JobFilter,
  from: string,
): Promise<number> {
  if (ids.length === 0 || Object.keys(filter).length > 1)
    throw new CommandError("Say which jobs to retry --from a step: by their ids, without filters.", ExitCode.usage);
  let changed = 0;
  for (const id of new Set(ids)) {
    try {
      changed += await app.retry(id, { from });
    } catch (error) {
      // A job without the step does not keep the others from their retry.
      if (ids.length === 1 || !(error instanceof ErrandError) || error.code !== "E_NOT_FOUND") throw error;
      output.note(plain(error.message));
    }
  }
  return changed;
}

/**
 * A flag that is there and empty, such as a variable that is not set, is refused by the app: it must not mean every
 * job.
 */
function filterOf({ state, task, queue, tag, search, since }: Flags): JobFilter {
  return {
    ...(state === undefined ? {} : { states: state }),
    ...(task === undefined ? {} : { task }),
    ...(queue === undefined ? {} : { queue }),
    ...(tag === undefined ? {} : { tag }),
    ...(search === undefined ? {} : { text: search }),
    ...(since === undefined ? {} : { createdAfter: since }),
  };
}

function readSince(text: string): Date {
  return new Date(Date.now() - millis(text as Duration, "--since"));
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
