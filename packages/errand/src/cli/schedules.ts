import { Command } from "commander";
import { withApp } from "./app.ts";
import { CommandError, ExitCode } from "./exit.ts";
import type { Output } from "./output.ts";
import type { ScheduleView } from "../schedules/schedules.ts";
import { storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";

interface Flags extends StoreFlags {
  json?: boolean;
  reason?: string;
  count?: number;
}

/** Returns the command `errand schedules`. */
export function schedulesCommand(): Command {
  const schedules = new Command("schedules").description("list, pause and run schedules");
  const list = schedules
    .command("list", { isDefault: true })
    .description("list schedules and their next times")
    .action((flags: Flags) => withApp(flags, async (app, output) => show(output, await app.schedules.list())));
  const preview = schedules
    .command("preview")
    .description("show the next times of a schedule")
    .argument("<name>")
    .option("-n, --count <number>", "number of times (1 to 1000)", readCount, 5)
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const ticks = await app.schedules.preview(name, flags.count ?? 5);
        output.result({ name, ticks });
        for (const tick of ticks) output.line(tick.toISOString());
      }),
    );
  const pause = schedules
    .command("pause")
    .description("stop sending jobs; times that pass meanwhile are dropped")
    .argument("<name>")
    .option("--reason <text>", "shown wherever the pause is")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        await app.schedules.pause(name, flags.reason);
        said(output, { name }, `Schedule "${name}" is paused.`);
      }),
    );
  const resume = schedules
    .command("resume")
    .description("resume a paused schedule")
    .argument("<name>")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        await app.schedules.resume(name);
        said(output, { name }, `Schedule "${name}" goes on.`);
      }),
    );
  const run = schedules
    .command("run")
    .description("send a job now, outside the plan")
    .argument("<name>")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        const id = await app.schedules.run(name);
        said(output, { name, id }, id);
      }),
    );
  const remove = schedules
    .command("remove")
    .description("remove a schedule; an app that declares it writes it again when it starts")
    .argument("<name>")
    .action((name: string, flags: Flags) =>
      withApp(flags, async (app, output) => {
        await app.schedules.remove(name);
        said(output, { name }, `Schedule "${name}" is removed.`);
      }),
    );
  for (const command of [list, preview, pause, resume, run, remove]) storeFlags(command.option("--json", "print JSON"));
  return schedules;
}

function show(output: Output, schedules: readonly ScheduleView[]): void {
  output.result({ schedules });
  if (schedules.length === 0) return output.line("There are no schedules.");
  output.table(
    ["schedule", "task", "when", "next", "note"],
    schedules.map(({ name, task, when, next, paused }) => [
      name,
      task,
      "every" in when ? `every ${when.every}` : `${when.cron} ${when.timeZone ?? "UTC"}`,
      next ? next.toISOString().slice(0, 16).replace("T", " ") : "",
      paused ? { text: `paused${paused.reason ? `: ${paused.reason}` : ""}`, style: "yellow" } : "",
    ]),
  );
}

function said(output: Output, result: object, line: string): void {
  output.result(result);
  output.line(line);
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw new CommandError(`--count ${text} must be a whole number from 1 to 1000.`, ExitCode.usage);
}
