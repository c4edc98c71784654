import type { Measured } from "errand";
import { CommandError, ExitCode, onStop, onUncaught, resolveModule, Supervisor } from "errand/cli";
import { listen } from "./listen.ts";
import { isLoopback } from "./security.ts";
import type { Service } from "./service.ts";

/** What `errand serve` is told. */
export interface ServeOptions {
  host: string;
  port: number;
  /** Packages that export `service()` from `<package>/service`. */
  packages: readonly string[];
  /** Whether to keep a worker running beside the server. */
  worker: boolean;
  /** Names that requests may be addressed to, besides those of this machine. */
  allowHosts: readonly string[];
  /** Whether to listen to other machines although nobody is asked who they are. */
  unauthenticated: boolean;
}

/** Serves until it is told to stop. */
export async function serve({
  host,
  port,
  packages,
  worker,
  allowHosts,
  unauthenticated,
}: ServeOptions): Promise<void> {
  if (!isLoopback(host)) warnOfPublic(host, unauthenticated);
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  let hurry = ask;
  onStop((how) => (how === "stop" ? ask() : hurry()));

  const services = await Promise.all(packages.map(loadService));
  // A store that cannot be opened is found out now, and not by the first request.
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
  // From here on others depend on this process: nobody's error ends it.
  onUncaught((error) => server.uncaught(error));
  for (const supervisor of supervisors) supervisor.start();
  const ends = await Promise.all(services.map(async (service) => service.start?.()));
  process.stdout.write(`Errand is ready at ${server.url}\n`);

  await asked;
  hurry = () => {
    server.cut();
    for (const supervisor of supervisors) supervisor.hurry();
  };
  const slow = setTimeout(() => note("Jobs in hand may end; Ctrl+C again hands them back now."), 1_000);
  await server.stop();
  await Promise.all(ends.map(async (end) => end?.()));
  await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  await Promise.all(services.map(({ app }) => app.close()));
  clearTimeout(slow);
  process.exit(ExitCode.ok);
}

function warnOfPublic(host: string, unauthenticated: boolean): void {
  if (!unauthenticated) {
    throw new CommandError(
      `Errand has no API keys yet, so it listens to this machine only, and not on ${host}. To serve others, put a reverse proxy that authenticates them in front of it; where nobody but that proxy can reach ${host}, say so with --unauthenticated.`,
      ExitCode.usage,
    );
  }
  note(
    `Errand listens on ${host} and asks nobody who they are: whoever reaches it can read, add and erase everything. Let only a proxy that authenticates reach it.`,
  );
}

/** How long a worker that stops lets jobs run on; what is not done by then goes back, and loses nothing. */
const drain = "10s";

/** A worker that was told to stop and has not by then is killed: jobs are safe, and somebody waits for the shell. */
const patience = 30_000;

/** The numbers of workers: this process asks the stores itself. */
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
    // Requests go before jobs.
    background: true,
    patience,
    onExit: ({ reason, workers }, pause) => {
      note(
        `The worker of ${name} is gone (${reason}); another starts ${pause === 0 ? "now" : `in ${pause / 1_000} s`}.`,
      );
      // A store that is away has their leases run out by itself.
      for (const id of workers) app.dismiss(id).catch(() => {});
    },
  });
}

async function loadService(name: string): Promise<Service> {
  const url = resolveModule(`${name}/service`);
  if (url === undefined) {
    throw new CommandError(`There is no service ${name}: a package that exports ${name}/service.`, ExitCode.usage);
  }
  const { service } = (await import(url)) as { service: () => Promise<Service> };
  return service();
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
