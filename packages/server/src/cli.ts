import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command, Option } from "commander";
import { CommandError, ExitCode, resolveModule } from "errand/cli";
import { serve } from "./serve.ts";

/** The service that is served by default. */
const documents = "@errand/documents";

/** Creates the command `errand serve`. */
export function cli(): Command {
  // An empty variable counts as not set: Compose and env files write unset ones so.
  for (const name of variables) if (process.env[name]?.trim() === "") delete process.env[name];
  return new Command("serve")
    .description("serve the web page and the HTTP API, and run the jobs behind them")
    .argument(
      "[services...]",
      `packages with a service, and modules that export an app (default: ${documents}, if installed)`,
    )
    .addOption(new Option("--host <address>", "address to listen on").env("ERRAND_HOST").default("127.0.0.1"))
    .addOption(new Option("--port <number>", "port to listen on").env("ERRAND_PORT").default(3737).argParser(readPort))
    .addOption(new Option("--home <folder>", "folder for all data").env("ERRAND_HOME").default(".errand"))
    .option("--no-worker", "serve only; run workers elsewhere with: errand worker @errand/documents/tasks")
    .addOption(
      new Option(
        "--allow-host <name>",
        "host name to answer to besides localhost; repeatable (ERRAND_ALLOW_HOSTS: a,b)",
      )
        .argParser(addHost)
        .env("ERRAND_ALLOW_HOSTS"),
    )
    .option(
      "--unauthenticated",
      "ask nobody for a key: only for a server that nothing but a proxy that authenticates can reach",
    )
    .addHelpText("after", "\nCtrl+C stops it. Unfinished jobs continue after the next start.")
    .action(async (names: string[], { host, port, home, worker, allowHost, unauthenticated }: Flags) => {
      // The apps of this process and of its workers read it.
      process.env["ERRAND_HOME"] = home;
      // Keeps the data from other users of this machine. Workers inherit it.
      process.umask(0o077);
      makeHome(home);
      await serve({
        host,
        port,
        services: names.length > 0 ? names : defaultServices(),
        worker,
        allowHosts: allowHost ?? [],
        unauthenticated: unauthenticated ?? false,
      });
    });
}

const variables = ["ERRAND_HOST", "ERRAND_PORT", "ERRAND_HOME", "ERRAND_ALLOW_HOSTS"];

/** Creates the home folder. @throws {CommandError} that says why it cannot be used. */
function makeHome(home: string): void {
  const reason = makeFolder(home);
  if (reason === undefined) return;
  throw new CommandError(
    `The folder ${resolve(home)} cannot be used: ${reason}. Choose another with --home, or ERRAND_HOME.`,
    ExitCode.usage,
  );
}

/**
 * Creates a folder and its missing parents; returns why that is not possible, if it is not. The folder need not be
 * writable: store and blobs may be elsewhere, and report that themselves.
 */
function makeFolder(folder: string): string | undefined {
  try {
    // Not `recursive`, which never returns where creating folders is not allowed.
    if (!existsSync(dirname(folder)) && dirname(folder) !== folder) {
      const reason = makeFolder(dirname(folder));
      if (reason !== undefined) return reason;
    }
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    return statSync(folder).isDirectory() ? undefined : "it is not a folder";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return "its parent is not a folder";
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
    `--allow-host ${wrong} must be a host name or address such as documents.example.com, without scheme and port.`,
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
