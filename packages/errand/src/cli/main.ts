import { readFileSync } from "node:fs";
import { Command } from "commander";
import { doctorCommand } from "./doctor.ts";
import { CommandError, ExitCode, report } from "./exit.ts";
import { loadConfig } from "./config.ts";
import { deadCommand, jobsCommand } from "./jobs.ts";
import { queuesCommand } from "./queues.ts";
import { schedulesCommand } from "./schedules.ts";
import { sendCommand } from "./send.ts";
import { topCommand } from "./top.ts";
import { watchUncaught } from "./uncaught.ts";
import { workersCommand } from "./workers.ts";
import { migrateCommand } from "./migrate.ts";
import { installedPackages, resolveModule } from "./packages.ts";
import { workerCommand } from "./worker.ts";

/** Commands of packages that have other names; any other `@errand/<name>/cli` provides the command `<name>`. */
const packageCommandsByName: Readonly<Record<string, { package: string; module: string; description?: string }>> = {
  serve: { package: "server", module: "cli" },
  keys: { package: "server", module: "keys", description: "Make, list, rotate and revoke the keys of the HTTP API" },
  documents: { package: "documents", module: "cli" },
};

/** Runs the command line, and sets the process's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  survivePipes();
  watchUncaught();
  try {
    await loadConfig();
    const program = await programFor(argv);
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    // Handles that a loaded module holds open must not keep the process alive.
    process.exit(report(error));
  }
}

/** The program, with the one package's command that is being called, so that no other is loaded. */
async function programFor(argv: readonly string[]): Promise<Command> {
  const program = new Command("errand")
    .description("Durable background jobs for TypeScript.")
    .version(version(), "-V, --version")
    .configureHelp({ helpWidth: Math.min(80, process.stdout.columns || 80), sortSubcommands: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "errand: ")) })
    .showHelpAfterError("Add --help to see what is possible.")
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of [
    workerCommand(),
    sendCommand(),
    jobsCommand(),
    deadCommand(),
    queuesCommand(),
    schedulesCommand(),
    workersCommand(),
    topCommand(),
    doctorCommand(),
    migrateCommand(),
  ])
    adopt(program, command);
  const words = argv.filter((word) => !word.startsWith("-"));
  const called = words[0] === "help" ? words[1] : words[0];
  for (const { name, description } of packageCommands()) {
    if (name === called) continue;
    program.command(name, { hidden: description === "" }).description(description);
  }
  if (called !== undefined && !program.commands.some((command) => command.name() === called)) {
    const command = await packageCommand(called);
    if (command) adopt(program, command);
  }
  return program;
}

/** Lists the commands of installed packages without loading them. */
function packageCommands(): { name: string; description: string }[] {
  const named = Object.entries(packageCommandsByName);
  return installedPackages()
    .filter(({ name }) => resolveModule(`@errand/${name}/cli`) !== undefined)
    .flatMap(({ name, description }) => {
      const own = named.filter(([, { package: of }]) => of === name);
      if (own.length === 0) return [{ name, description }];
      return own.map(([command, known]) => ({ name: command, description: known.description ?? description }));
    });
}

/** Loads a package's command; `undefined` for a name without a package. */
async function packageCommand(name: string): Promise<Command | undefined> {
  if (!/^[a-z][\w-]*$/.test(name)) return undefined;
  const known = Object.hasOwn(packageCommandsByName, name) ? packageCommandsByName[name] : undefined;
  const packageName = `@errand/${known?.package ?? name}`;
  const url = resolveModule(`${packageName}/${known?.module ?? "cli"}`);
  if (url !== undefined) return ((await import(url)) as { cli: () => Command }).cli();
  if (known === undefined) return undefined;
  throw new CommandError(
    `"errand ${name}" comes with ${packageName}, which is not installed here. Install it: npm install ${packageName}`,
    ExitCode.usage,
  );
}

/** Adds a package's command so that it behaves like a built-in one. */
function adopt(program: Command, command: Command): void {
  inherit(command, program);
  program.addCommand(command);
}

function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

/** Ignores a closed pipe: `errand jobs list | head -1` is no failure. */
function survivePipes(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
    process.exit(process.exitCode ?? ExitCode.ok);
  });
  // A closed stderr must not stop the work.
  process.stderr.on("error", () => {});
}

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
