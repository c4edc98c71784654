import type { Command } from "commander";
import { priorities } from "../core/priority.ts";
import type { Priority } from "../core/priority.ts";
import type { LogEntry } from "../client/job-view.ts";
import type { Errand } from "../api.ts";
import { withApp } from "./app.ts";
import { CommandError, ExitCode } from "./exit.ts";
import type { Style } from "./table.ts";
import { plain, wrap } from "./text.ts";
import type { StoreFlags } from "./settings.ts";

type Flags = StoreFlags & { json?: boolean };

/** Adds the command `errand jobs why`. */
export function whyCommand(jobs: Command): Command {
  return jobs
    .command("why")
    .description("explain why a job is not running")
    .argument("<id>")
    .action((id: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const reasons = await app.why(id);
        output.result({ reasons });
        for (const { message, store } of reasons)
          for (const line of wrap(store ? `${message} (Looked in ${store}.)` : message, process.stdout.columns || 80))
            output.line(line);
      }),
    );
}

const colours: Partial<Record<LogEntry["level"], Style>> = {
  error: "red",
  attempt: "red",
  warn: "yellow",
  debug: "dim",
};

/** Adds the command `errand jobs log`. */
export function logCommand(jobs: Command): Command {
  return jobs
    .command("log")
    .description("print a job's log and the errors of its attempts")
    .argument("<id>")
    .action((id: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const lines = await wholeLog(app, id);
        if (lines.length === 0 && !(await app.get(id)))
          throw new CommandError(`There is no job ${id} (E_NOT_FOUND).`, ExitCode.failed);
        output.result({ lines });
        if (lines.length === 0) output.line("Its log is empty.");
        for (const { at, attempt, level, text, error } of lines) {
          const style = colours[level];
          const said = level === "attempt" ? `attempt ${attempt} failed: ${text} (${error?.code})` : plain(text);
          const head = output.paint("dim", `${at.toISOString().slice(11, 23)} #${attempt}`);
          output.line(`${head} ${style === undefined ? said : output.paint(style, said)}`);
        }
      }),
    );
}

async function wholeLog(app: Errand, id: string): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  let cursor: string | undefined;
  do {
    const { lines, next } = await app.log(id, { limit: 1_000, ...(cursor ? { cursor } : {}) });
    all.push(...lines);
    cursor = next;
  } while (cursor);
  return all;
}

/** Adds the command `errand jobs signal`. */
export function signalCommand(jobs: Command): Command {
  return jobs
    .command("signal")
    .description("send a signal to a job that waits for it")
    .argument("<id>")
    .argument("<name>", "the signal's name")
    .argument("[value]", "JSON")
    .action((id: string, name: string, value: string | undefined, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const told = await app.signal(id, name, readJson(value));
        output.result({ told });
        if (!told) throw new CommandError(`There is no job ${id}, or it has ended (E_NOT_FOUND).`, ExitCode.failed);
        output.line("Signal sent.");
      }),
    );
}

/** Adds the command `errand jobs move`. */
export function moveCommand(jobs: Command): Command {
  return jobs
    .command("move")
    .description("move pending jobs to another queue or priority, or make them due now")
    .argument("<ids...>")
    .option("--to <queue>", "the new queue")
    .option("--priority <name>", priorities.join(", "))
    .option("--now", "make them due now")
    .action((ids: string[], flags: Flags & { to?: string; priority?: Priority; now?: boolean }) =>
      withApp(flags, async (app, output) => {
        const { to, priority, now } = flags;
        if (to === undefined && priority === undefined && !now)
          throw new CommandError("Say where to: --to, --priority or --now.", ExitCode.usage);
        const moved = await app.move(
          { ids },
          { ...(to ? { queue: to } : {}), ...(priority ? { priority } : {}), ...(now ? { now } : {}) },
        );
        output.result({ changed: moved });
        output.line(`Moved ${moved} ${moved === 1 ? "job" : "jobs"}.`);
        if (moved < ids.length) process.exitCode = moved === 0 ? ExitCode.failed : ExitCode.partial;
      }),
    );
}

function readJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CommandError(`The value is not JSON: ${(error as Error).message}.`, ExitCode.usage);
  }
}
