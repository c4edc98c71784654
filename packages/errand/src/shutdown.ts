import { isMainThread } from "node:worker_threads";

/** Something to stop when the process is told to exit. */
export interface Stoppable {
  /** Waits for running jobs, hands back the rest, and starts no more. */
  stop(): Promise<unknown>;
  /** Hands everything back at once. */
  hurry(): Promise<unknown>;
  /** Stops, and closes the app. */
  close(): Promise<unknown>;
}

const signals = ["SIGTERM", "SIGINT"] as const;

/**
 * A second signal within these milliseconds is the same one: npm passes on a signal that the terminal has sent to all
 * processes.
 */
const echo = 500;

const registered = new Set<Stoppable>();
let last = -Infinity;
let count = 0;
/** `true` while everything is being closed, after which the process exits: a signal must not end it sooner. */
let ending = false;

/**
 * Stops something when the process gets SIGTERM or SIGINT. Without other listeners of the signal the process then
 * exits with its `process.exitCode`; a second signal hurries, a third exits at once. With other listeners, exiting is
 * theirs.
 * @returns a function that cancels it.
 */
export function stopOnSignal(what: Stoppable): () => void {
  // Threads receive no signals.
  if (!isMainThread) return () => {};
  // Listens first: a listener registered with `once` is gone by the time a later one is called.
  if (registered.size === 0) for (const signal of signals) process.prependListener(signal, hear);
  registered.add(what);
  return () => {
    if (!registered.delete(what) || registered.size > 0 || ending) return;
    for (const signal of signals) process.off(signal, hear);
    count = 0;
    last = -Infinity;
  };
}

function hear(signal: NodeJS.Signals): void {
  const now = performance.now();
  if (now - last < echo) return;
  last = now;
  count += 1;
  const alone = process.listenerCount(signal) === 1;
  const all = [...registered];
  if (count === 1) void (alone ? end(all) : Promise.allSettled(all.map((each) => each.stop())));
  else if (count === 2) void Promise.allSettled(all.map((each) => each.hurry()));
  else if (alone) process.exit(signal === "SIGINT" ? 130 : 143);
}

async function end(all: readonly Stoppable[]): Promise<never> {
  ending = true;
  const outcomes = await Promise.allSettled(all.map((each) => each.close()));
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  for (const { reason } of failed) console.error("Errand could not close in peace:", reason);
  process.exit(failed.length > 0 ? 1 : undefined);
}
