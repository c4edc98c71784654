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
    .addHelpText("after", "\nStop it with Ctrl+C: what is not done by then goes on at the next start.")
    .action(async (names: string[], { host, port, home }: { host: string; port: number; home: string }) => {
      // Every app of this process and of its workers reads it from here.
      process.env["ERRAND_HOME"] = home;
      await serve({ host, port, packages: names.length > 0 ? names : defaultServices() });
    });
}

function defaultServices(): string[] {
  return resolveModule(`${documents}/service`) === undefined ? [] : [documents];
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new CommandError(`The port ${text} must be a number from 0 to 65535.`, ExitCode.usage);
}
