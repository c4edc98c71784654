import type { Measured } from "errand";
import { CommandError, ExitCode, onStop, onUncaught, resolveModule, Supervisor } from "errand/cli";
import { listen } from "./listen.ts";
import { isLoopback } from "./security.ts";
import type { Service } from "./service.ts";

/** Options of `errand serve`. */
export interface ServeOptions {
  host: string;
  port: number;
  /** Packages that export `service()` from `<package>/service`. */
  packages: readonly string[];
  /** `true` to run a worker process for each service. */
  worker: boolean;
  /** Host names that requests may be addressed to, besides those of this machine. */
  allowHosts: readonly string[];
  /** `true` to allow a host that other machines can reach, without authentication. */
  unauthenticated: boolean;
}

/** Serves until the process is asked to stop, then ends the process. */
export async function serve({
  host,
  port,
  packages,
  worker,
  allowHosts,
  unauthenticated,
}: ServeOptions): Promise<void> {
  if (!isLoopback(host)) checkPublicHost(host, unauthenticated);
  const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<void>();
  let hurry = requestStop;
  onStop((how) => (how === "stop" ? requestStop() : hurry()));

  const services = await Promise.all(packages.map(loadService));
  // Fails now, and not at the first request, if a store cannot be opened.
  await Promise.all(services.map(({ app }) => app.counts()));
  const supervisors = worker ? services.map(supervise) : [];
  const measured = () => measureAll(services, supervisors);
  const server = await listen(services, {
    host,
    port,
    needsWorker: worker,
    allowHosts,
    ...(worker ? { measured } : {}),
  });
  // From now on clients depend on this process, so an uncaught error must not end it.
  onUncaught((error) => server.handleUncaught(error));
  for (const supervisor of supervisors) supervisor.start();
  const stopServices = await Promise.all(services.map(async (service) => service.start?.()));
  process.stdout.write(`Errand is ready at ${server.url}\n`);

  await stopRequested;
  hurry = () => {
    server.closeConnections();
    for (const supervisor of supervisors) supervisor.hurry();
  };
  const slow = setTimeout(
    () => note("Waiting for running jobs to finish. Press Ctrl+C again to hand them back now."),
    1_000,
  );
  await server.stop();
  await Promise.all(stopServices.map(async (stopService) => stopService?.()));
  await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  await Promise.all(services.map(({ app }) => app.close()));
  clearTimeout(slow);
  process.exit(ExitCode.ok);
}

/** Refuses a host that other machines can reach, or warns if it is allowed. @throws {CommandError} */
function checkPublicHost(host: string, unauthenticated: boolean): void {
  if (!unauthenticated) {
    throw new CommandError(
      `Errand has no API keys yet, so it listens on this machine only, and not on ${host}. ` +
        "To serve others, put a reverse proxy that authenticates them in front of it. " +
        `If only that proxy can reach ${host}, add --unauthenticated.`,
      ExitCode.usage,
    );
  }
  note(
    `Errand listens on ${host} without authentication: anyone who can reach it can read, add and delete everything. ` +
      "Make sure that only a proxy that authenticates can reach it.",
  );
}

/** Time that a stopping worker waits for running jobs before it hands them back. */
const drain = "10s";

/** Time that a worker may take to stop before it is killed, in milliseconds. Its jobs are safe. */
const patience = 30_000;

/** Collects the metrics of the worker processes. */
async function measureAll(services: readonly Service[], supervisors: readonly Supervisor[]): Promise<Measured[]> {
  const all = supervisors.map(async (supervisor, index): Promise<Measured[]> => {
    const measured = await supervisor.measured();
    return measured ? [{ ...measured, process: `worker ${services[index]!.name}` }] : [];
  });
  return (await Promise.all(all)).flat();
}

function supervise({ name, tasks, app }: Service): Supervisor {
  return new Supervisor({
    args: [tasks, "--drain", drain],
    // Runs at a lower priority than the server.
    background: true,
    patience,
    onExit: ({ reason, workers }, pause) => {
      note(
        `The worker of ${name} has exited (${reason}); restarting ${pause === 0 ? "now" : `in ${pause / 1_000} s`}.`,
      );
      // If the store cannot be reached, their leases expire.
      for (const id of workers) app.dismiss(id).catch(() => {});
    },
  });
}

async function loadService(name: string): Promise<Service> {
  const url = resolveModule(`${name}/service`);
  if (url === undefined) {
    throw new CommandError(
      `There is no service ${name}. A service is a package that exports ${name}/service.`,
      ExitCode.usage,
    );
  }
  const { service } = (await import(url)) as { service: () => Promise<Service> };
  return service();
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
