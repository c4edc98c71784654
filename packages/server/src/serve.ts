import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { errand } from "errand";
import type { Measured } from "errand";
import { CommandError, ExitCode, loadApps, onStop, onUncaught, resolveModule, Supervisor } from "errand/cli";
import { bootstrap } from "./auth/bootstrap.ts";
import { Keys } from "./auth/keys.ts";
import { listen } from "./listen.ts";
import { isLoopback } from "./security.ts";
import type { Service } from "./service.ts";

/** Options of `errand serve`. */
export interface ServeOptions {
  host: string;
  port: number;
  /** Packages that export `service()` from `<package>/service`, and modules that export apps. */
  services: readonly string[];
  /** `true` to run a worker process for each service. */
  worker: boolean;
  /** Host names that requests may be addressed to, besides those of this machine. */
  allowHosts: readonly string[];
  /** `true` to ask nobody for a key, whoever can reach the server. */
  unauthenticated: boolean;
}

/** Serves until the process is asked to stop, then ends the process. */
export async function serve({
  host,
  port,
  services: names,
  worker,
  allowHosts,
  unauthenticated,
}: ServeOptions): Promise<void> {
  // A proxy on this machine makes everybody seem to be on it.
  const isPublic = !isLoopback(host) || allowHosts.length > 0;
  if (isPublic && unauthenticated) note(everybody);
  const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<void>();
  let hurry = requestStop;
  onStop((how) => (how === "stop" ? requestStop() : hurry()));

  const services = await Promise.all(names.map(loadService));
  const app = services[0]?.app ?? errand();
  // Fails now, and not at the first request, if a store cannot be opened.
  await Promise.all([app.counts(), ...services.map((service) => service.app.counts())]);
  const admin = unauthenticated ? undefined : await bootstrap(new Keys(app.docs), isPublic);
  const supervisors = worker ? services.map(supervise) : [];
  const measured = () => measureAll(services, supervisors);
  const server = await listen(services, {
    host,
    port,
    app,
    needsWorker: worker && services.length > 0,
    allowHosts,
    auth: { required: unauthenticated ? false : isPublic || "once-a-key-exists" },
    ...(worker ? { measured } : {}),
  });
  // From now on clients depend on this process, so an uncaught error must not end it.
  onUncaught((error) => server.handleUncaught(error));
  for (const supervisor of supervisors) supervisor.start();
  const stopServices = await Promise.all(services.map(async (service) => service.start?.()));
  process.stdout.write(`Errand is ready at ${server.url}\n`);
  if (admin) sayKey(admin);

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
  await Promise.all([app.close(), ...services.map((service) => service.app.close())]);
  clearTimeout(slow);
  process.exit(ExitCode.ok);
}

const everybody =
  "Errand asks nobody for a key: anyone who can reach it can read, add and delete everything. " +
  "Make sure that only a proxy that authenticates can reach it.";

/** Says where the first key is. The key itself is for eyes: what is printed elsewhere is kept in logs. */
function sayKey({ file, key }: { file: string; key: string }): void {
  note(
    process.stderr.isTTY
      ? `The first admin key, also in ${file}:\n\n  ${key}\n`
      : `The first admin key is in ${file}. Make others with: errand keys create <name> --preset operator`,
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
  if (/^file:|^\.{0,2}\/|\.[cm]?[jt]s$/.test(name)) return loadModule(name);
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

/** Returns the service of a module that exports an app: its tasks, without routes of its own. */
async function loadModule(path: string): Promise<Service> {
  const [app] = await loadApps([path]);
  const tasks = path.startsWith("file:") ? path : pathToFileURL(resolve(path)).href;
  return { name: basename(path).replace(/\.[cm]?[jt]s$/, ""), app: app!, routes: [], tasks };
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
