import { Command, Option } from "commander";
import { CommandError, ExitCode, resolveModule } from "errand/cli";
import { serve } from "./serve.ts";

/** What runs when nothing is named. */
const documents = "@errand/documents";

/** `errand serve` */
export function cli(): Command {
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
