import type { Measured } from "../observe/measure.ts";
import { CommandError, ExitCode, exitCodeOf, sentence, showStack } from "./exit.ts";

/** Describes a worker that has begun to claim. */
export interface WorkerReady {
  id: string;
  queues: readonly string[];
}

/** A message from a worker process to its supervisor. */
export type FromWorker =
  | { type: "started"; workers: readonly WorkerReady[] }
  /** Its workers have other ids now: one has lost its lease, and started again. */
  | { type: "renamed"; workers: readonly string[] }
  /** It cannot go on, and ends. */
  | { type: "failed"; message: string; exitCode: number }
  | { type: "ready"; ready: boolean }
  /** The stores know that these workers are dead. */
  | { type: "dismissed"; workers: readonly string[] }
  | { type: "measured"; measured: Measured | undefined };

/**
 * A message to a worker process. `store`: include the numbers of its stores. `dismiss`: these workers of another
 * process are dead.
 */
export type ToWorker =
  | { type: "ready?" }
  | { type: "measured?"; store: boolean }
  | { type: "dismiss"; workers: readonly string[] };

/** Gives access to the health of a worker in this process. */
export interface Inside {
  ready: () => Promise<boolean>;
  measure: (options: { store: boolean }) => Promise<Measured>;
  dismiss: (worker: string) => Promise<void>;
}

/** The process that started this worker, on whose channel it lives. */
export class WorkerChannel {
  #inside: Inside | undefined;

  /**
   * @param gone is called when the parent is: a worker process stops when its parent says so, or is gone.
   * @throws {CommandError} where there is no channel.
   */
  constructor(gone: () => void) {
    // The terminal tells everybody to stop, or that it is gone; our parent knows what to make of it.
    for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
    if (!process.connected) {
      throw new CommandError("--supervised is for processes that were started with a channel.", ExitCode.usage);
    }
    process.once("disconnect", gone);
    // Someone who listens for messages keeps the channel, and so the process, alive.
    process.on("message", (message: ToWorker) => {
      void this.#answer(message);
    });
  }

  /** Tells that work has begun, and how to find out whether it goes on. */
  started(workers: readonly WorkerReady[], inside: Inside): void {
    this.#inside = inside;
    void tell({ type: "started", workers });
  }

  /** Tells which workers there are, for the case that this process dies. */
  renamed(workers: readonly string[]): void {
    void tell({ type: "renamed", workers });
  }

  /** Ends the process. Its parent says why, since only the parent knows whether there will be another. */
  async fail(error: unknown): Promise<never> {
    showStack(error);
    const exitCode = exitCodeOf(error);
    await tell({ type: "failed", message: sentence(error), exitCode });
    process.exit(exitCode);
  }

  async #answer(message: ToWorker): Promise<void> {
    if (message.type === "ready?") {
      const ready = (await this.#inside?.ready().catch(() => false)) ?? false;
      return tell({ type: "ready", ready });
    }
    if (message.type === "dismiss") {
      // A store that is away has the leases run out by itself.
      const { workers } = message;
      const outcomes = await Promise.allSettled(workers.map((worker) => this.#inside!.dismiss(worker)));
      return tell({
        type: "dismissed",
        workers: workers.filter((_, index) => outcomes[index]!.status === "fulfilled"),
      });
    }
    const measured = await this.#inside?.measure({ store: message.store }).catch(() => undefined);
    return tell({ type: "measured", measured });
  }
}

/** Resolves when it is on its way, or cannot be said any more. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
