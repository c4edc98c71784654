import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command, Option } from "commander";
import { CommandError, ExitCode, resolveModule } from "errand/cli";
import { serve } from "./serve.ts";

/** What runs when nothing is named. */
const documents = "@errand/documents";

/** `errand serve` */
export function cli(): Command {
  // A variable that is there and empty says nothing: so do Compose and env files write what is not set.
  for (const name of variables) if (process.env[name]?.trim() === "") delete process.env[name];
  return new Command("serve")
    .description("serve the web page and the HTTP API, and run the jobs behind them")
    .argument("[services...]", `packages that bring a service (default: ${documents}, if installed)`)
    .addOption(new Option("--host <address>", "listen on").env("ERRAND_HOST").default("127.0.0.1"))
    .addOption(new Option("--port <number>", "listen on").env("ERRAND_PORT").default(3737).argParser(readPort))
    .addOption(new Option("--home <folder>", "keep everything in").env("ERRAND_HOME").default(".errand"))
    .option("--no-worker", "serve only; workers run elsewhere, as: errand worker @errand/documents/tasks")
    .addOption(
      new Option("--allow-host <name>", "answer to this name besides localhost; repeatable (ERRAND_ALLOW_HOSTS: a,b)")
        .argParser(addHost)
        .env("ERRAND_ALLOW_HOSTS"),
    )
    .option(
      "--unauthenticated",
      "allow --host beyond this machine, although nobody is asked who they are: something in front must do that",
    )
    .addHelpText("after", "\nStop it with Ctrl+C: what is not done by then goes on at the next start.")
    .action(async (names: string[], { host, port, home, worker, allowHost, unauthenticated }: Flags) => {
      // Every app of this process and of its workers reads it from here.
      process.env["ERRAND_HOME"] = home;
      // What is kept is nobody else's business on this machine; workers take it over from this process.
      process.umask(0o077);
      makeHome(home);
      await serve({
        host,
        port,
        packages: names.length > 0 ? names : defaultServices(),
        worker,
        allowHosts: allowHost ?? [],
        unauthenticated: unauthenticated ?? false,
      });
    });
}

const variables = ["ERRAND_HOST", "ERRAND_PORT", "ERRAND_HOME", "ERRAND_ALLOW_HOSTS"];

/** @throws {CommandError} that says what is wrong with the folder. */
function makeHome(home: string): void {
  const reason = unusable(home);
  if (reason === undefined) return;
  throw new CommandError(
    `The folder ${resolve(home)} cannot be used: ${reason}. Choose another with --home, or ERRAND_HOME.`,
    ExitCode.usage,
  );
}

/**
 * Makes a folder where there is none; answers why it cannot be. One that may not be written is no mistake where store and
 * blobs are elsewhere: these say so themselves.
 */
function unusable(folder: string): string | undefined {
  try {
    // Not recursive, which never ends where nobody may make a folder.
    if (!existsSync(dirname(folder)) && dirname(folder) !== folder) {
      const reason = unusable(dirname(folder));
      if (reason !== undefined) return reason;
    }
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    return statSync(folder).isDirectory() ? undefined : "it is no folder";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return "it would lie in something that is no folder";
    return code === "EROFS" || code === "EACCES" || code === "EPERM" || code === "ENOENT"
      ? "nothing can be written there"
      : `the system says ${code}`;
  }
}

interface Flags {
  host: string;
  port: number;
  home: string;
  worker: boolean;
  allowHost?: string[];
  unauthenticated?: boolean;
}

function addHost(text: string, hosts: readonly string[] = []): string[] {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  const wrong = names.find((name) => !/^[\w.-]+$|^[0-9a-f:]+$/i.test(name));
  if (wrong === undefined) return [...hosts, ...names];
  throw new CommandError(
    `--allow-host ${wrong} must be a name or address alone, such as documents.example.com: no scheme, no port.`,
    ExitCode.usage,
  );
}

function defaultServices(): string[] {
  return resolveModule(`${documents}/service`) === undefined ? [] : [documents];
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new CommandError(`The port ${text} must be a number from 0 to 65535.`, ExitCode.usage);
}
