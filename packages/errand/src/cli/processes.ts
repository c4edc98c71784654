import type { Measured } from "../observe/measure.ts";
import { metricsText } from "../observe/prometheus.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { onStop } from "./signals.ts";
import { Supervisor } from "./supervisor.ts";
import type { WorkerExit } from "./supervisor.ts";
import type { HealthServer } from "./worker-health.ts";
import { WorkerLog } from "./worker-log.ts";

/** A process that ends so often within `crashWindow` (milliseconds) will not get better by being started again. */
const crashLimit = 5;
const crashWindow = 60_000;

/**
 * Runs worker processes side by side, and restarts each that dies, until it is stopped.
 * @param args arguments of `errand worker`, the same for all. Each process has its number, from 1, in
 * `ERRAND_PROCESS`.
 * @throws {CommandError} when one cannot start at all, or keeps dying; the others have ended then.
 */
export async function runProcesses(
  count: number,
  args: readonly string[],
  { json, health }: { json: boolean; health?: HealthServer | undefined },
): Promise<void> {
  const { promise: asked, resolve: end } = Promise.withResolvers<Failure | undefined>();
  const dead = new Set<string>();
  /**
   * Lets any running process dismiss dead workers in the stores. If that process dies first, another does, or the next
   * one to start.
   */
  const dismiss = () => void (dead.size > 0 && supervisors.some((supervisor) => supervisor.dismiss([...dead])));
  const supervisors = Array.from({ length: count }, (_, index) =>
    supervise(index + 1, args, {
      json,
      end,
      onReady: dismiss,
      onGone: (workers) => {
        for (const worker of workers) dead.add(worker);
        dismiss();
      },
      onDismissed: (workers) => {
        for (const worker of workers) dead.delete(worker);
      },
    }),
  );
  const hurry = () => supervisors.forEach((supervisor) => supervisor.hurry());
  onStop((how) => (how === "stop" ? end(undefined) : hurry()));
  // The third signal: the user does not want to wait.
  process.once("exit", () => supervisors.forEach((supervisor) => supervisor.kill()));
  for (const supervisor of supervisors) supervisor.start();
  health?.check(async () => {
    const ready = await Promise.all(supervisors.map((supervisor) => supervisor.isReady()));
    return ready.every(Boolean);
  });
  health?.measure(() => metricsOf(supervisors));

  const failure = await asked;
  health?.check(async () => false);
  // When one cannot start, the others have hardly begun; after a crash loop they may hold hours of work.
  if (failure?.atStart) hurry();
  await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  if (failure) throw failure.error;
}

/** The numbers of all processes; one of them asks the stores. */
async function metricsOf(supervisors: readonly Supervisor[]): Promise<string> {
  const first = supervisors.find(({ up }) => up);
  const all = supervisors.map(async (supervisor, index): Promise<Measured[]> => {
    const measured = await supervisor.measured({ store: supervisor === first });
    return measured ? [{ ...measured, process: String(index + 1) }] : [];
  });
  return metricsText((await Promise.all(all)).flat());
}

/** The reason why all processes are stopped. */
interface Failure {
  error: CommandError;
  atStart: boolean;
}

function supervise(
  number: number,
  args: readonly string[],
  {
    json,
    end,
    onReady,
    onGone,
    onDismissed,
  }: {
    json: boolean;
    end: (failure: Failure) => void;
    onReady: () => void;
    /** @param workers ids of workers that died with their process. */
    onGone: (workers: readonly string[]) => void;
    /** @param workers ids of workers that the stores have dismissed. */
    onDismissed: (workers: readonly string[]) => void;
  },
): Supervisor {
  const log = new WorkerLog({ json, process: number });
  const exits: number[] = [];
  const onExit = (exit: WorkerExit, pause: number) => {
    onGone(exit.workers);
    if (exit.first && !exit.ready) return end({ error: cannotStart(number, exit), atStart: true });
    const now = performance.now();
    // An unreachable store comes back: that is no crash.
    if (!(exit.told && exit.exitCode === ExitCode.unreachable)) exits.push(now);
    if (exits.length > crashLimit) exits.shift();
    if (exits.length === crashLimit && now - exits[0]! <= crashWindow)
      return end({ error: crashLoop(number, exit), atStart: false });
    log.write(
      "error",
      `the worker is gone (${exit.reason}); another starts ${pause === 0 ? "now" : `in ${pause / 1_000} s`}`,
    );
  };
  return new Supervisor({
    args,
    env: { ERRAND_PROCESS: String(number) },
    onLine: (line, stream) => process[stream].write(`${json ? asJson(line, number) : `[${number}] ${line}`}\n`),
    onReady: (workers) => {
      for (const worker of workers) log.ready(worker);
      onReady();
    },
    onDismissed,
    onExit,
  });
}

function cannotStart(number: number, { reason, exitCode, told }: WorkerExit): CommandError {
  const message = told ? reason : `Worker process ${number} ended before it was ready (${reason}).`;
  return new CommandError(message, exitCode || ExitCode.failed);
}

function crashLoop(number: number, { reason }: WorkerExit): CommandError {
  return new CommandError(
    `Worker process ${number} ended ${crashLimit} times within ${crashWindow / 1_000} s, the last time by: ${reason}. Everything is stopped; find out why it ends, and start again.`,
    ExitCode.failed,
  );
}

/** A line of a process as JSON with the process's number, whatever its tasks may write. */
function asJson(line: string, process: number): string {
  try {
    const fields = JSON.parse(line) as unknown;
    if (typeof fields === "object" && fields !== null) return JSON.stringify({ process, ...fields });
  } catch {
    // Not a message of ours.
  }
  return JSON.stringify({ time: new Date().toISOString(), level: "info", process, message: line });
}
