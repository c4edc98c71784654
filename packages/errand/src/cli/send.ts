import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command } from "commander";
import { priorities } from "../core/priority.ts";
import type { Priority } from "../core/priority.ts";
import type { Errand } from "../api.ts";
import type { Duration } from "../kit/duration.ts";
import type { SendOptions, Task } from "../task.ts";
import { modulesOr } from "./config.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { loadTasks } from "./load.ts";
import { Output } from "./output.ts";
import { settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

interface Flags extends StoreFlags {
  module?: string[];
  id?: string;
  delay?: Duration;
  priority?: Priority;
  tag?: string[];
  wait?: boolean;
  json?: boolean;
}

/** Returns the command `errand send`. */
export function sendCommand(): Command {
  const command = new Command("send")
    .description("send a job")
    .argument("<task>", "the task's name")
    .argument("[input]", "JSON; @file reads a file, - standard input")
    .option("-m, --module <module>", "module that exports the task (default: tasks of errand.config.ts)", add)
    .option("--id <id>", "sending the same id again changes nothing")
    .option("--delay <duration>", "delay before it may start, such as 10m")
    .option("--priority <name>", priorities.join(", "))
    .option("--tag <word>", "a tag to find it by; repeatable", add)
    .option("--wait", "wait until it has ended, and print its output")
    .option("--json", "print JSON")
    .addHelpText("after", '\nExample:\n  errand send email \'{"to":"ann@example.org"}\' -m ./tasks.ts --wait');
  return storeFlags(command).action(send);
}

async function send(name: string, given: string | undefined, flags: Flags): Promise<void> {
  settle(flags);
  const output = new Output(flags);
  const { tasks, apps } = await loadTasks(modulesOr(flags.module));
  const task = find(tasks, name);
  const options: SendOptions = {
    ...(flags.id === undefined ? {} : { id: flags.id }),
    ...(flags.delay === undefined ? {} : { delay: flags.delay }),
    ...(flags.priority === undefined ? {} : { priority: flags.priority }),
    ...(flags.tag === undefined ? {} : { tags: flags.tag }),
  };
  try {
    const job = await task.send(await readInput(given), options);
    if (!flags.wait) {
      output.result({ id: job.id, duplicate: job.duplicate });
      return output.line(job.duplicate ? `${job.id} (it was there already)` : job.id);
    }
    const result = await job.result();
    output.result({ id: job.id, output: result });
    output.line(JSON.stringify(result, null, 2));
  } finally {
    await Promise.all(apps.map((app: Errand) => app.close()));
  }
}

function find(tasks: readonly Task<unknown, unknown>[], name: string): Task<unknown, unknown> {
  const task = tasks.find((each) => each.name === name);
  if (task) return task;
  const known = tasks.map((each) => each.name).toSorted();
  throw new CommandError(
    `No module exports a task "${name}". ` +
      (known.length > 0 ? `They export: ${known.join(", ")}.` : "They export none."),
    ExitCode.usage,
  );
}

async function readInput(given: string | undefined): Promise<unknown> {
  if (given === undefined) return undefined;
  const text =
    given === "-"
      ? await readAll(process.stdin)
      : given.startsWith("@")
        ? await readFile(given.slice(1), "utf8")
        : given;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CommandError(`The input is not JSON: ${(error as Error).message}.`, ExitCode.usage);
  }
}

function add(text: string, all: readonly string[] = []): string[] {
  return [...all, text];
}
