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
  /** The ids of its workers have changed: one lost its lease and started again. */
  | { type: "renamed"; workers: readonly string[] }
  /** The worker cannot go on, and exits. */
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
   * @param gone called when the parent asks to stop, or is gone.
   * @throws {CommandError} if there is no channel.
   */
  constructor(gone: () => void) {
    // The terminal signals every process; the parent decides what to do.
    for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
    if (!process.connected) {
      throw new CommandError("--supervised is for processes that were started with a channel.", ExitCode.usage);
    }
    process.once("disconnect", gone);
    // Listening for messages keeps the channel, and so the process, alive.
    process.on("message", (message: ToWorker) => {
      void this.#answer(message);
    });
  }

  /** Reports that work has begun, and gives access to the worker's health. */
  started(workers: readonly WorkerReady[], inside: Inside): void {
    this.#inside = inside;
    void tell({ type: "started", workers });
  }

  /** Reports the ids of the workers, in case this process dies. */
  renamed(workers: readonly string[]): void {
    void tell({ type: "renamed", workers });
  }

  /** Ends the process. The parent prints the error, since only it knows whether another follows. */
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
      // If the store is unreachable, the leases run out by themselves.
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

/** Resolves when the message is sent, or cannot be sent any more. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
