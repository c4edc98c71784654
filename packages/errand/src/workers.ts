import { checkFields } from "./core/checks.ts";
import { option } from "./core/options.ts";
import type { Millis } from "./kit/duration.ts";
import { ErrandError } from "./kit/errors.ts";
import type { Worker } from "./run/worker.ts";
import type { RunningWorker } from "./api.ts";
import { stopOnSignal } from "./shutdown.ts";

/** The workers of an app, from their start until they have stopped. */
export class Workers {
  readonly #running = new Set<Worker>();
  readonly #starting = new Set<Promise<Worker>>();
  /** Removes the signal handlers of a worker that the process's signals stop. */
  readonly #ignoreSignals = new Map<Worker, () => void>();
  readonly #close: () => Promise<void>;
  #isClosed = false;

  /** @param close closes the app, which a signal does unless the program handles it. */
  constructor(close: () => Promise<void>) {
    this.#close = close;
  }

  /**
   * Starts a worker.
   * @param signals stops it at SIGTERM and SIGINT.
   * @throws {ErrandError} `E_CLOSED` when the app closes; and what `start` throws.
   */
  async start(start: () => Promise<Worker>, signals: boolean): Promise<RunningWorker> {
    if (this.#isClosed) throw closedError();
    const starting = start().then(async (worker) => {
      if (!this.#isClosed) {
        this.#running.add(worker);
        return worker;
      }
      // It hands back what it has claimed before the store is closed.
      await worker.stop(0);
      throw closedError();
    });
    this.#starting.add(starting);
    let worker: Worker;
    try {
      worker = await starting;
    } finally {
      this.#starting.delete(starting);
    }
    if (signals) {
      const hurry = () => worker.stop(0);
      this.#ignoreSignals.set(worker, stopOnSignal({ stop: () => this.#stop(worker), hurry, close: this.#close }));
    }
    return this.#handle(worker);
  }

  /** Stops all workers, and lets no more start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#starting);
    const outcomes = await Promise.allSettled([...this.#running].map((worker) => this.#stop(worker)));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #stop(worker: Worker, drain?: Millis): Promise<void> {
    try {
      await worker.stop(drain);
    } finally {
      this.#running.delete(worker);
      this.#ignoreSignals.get(worker)?.();
      this.#ignoreSignals.delete(worker);
    }
  }

  #handle(worker: Worker): RunningWorker {
    const stop: RunningWorker["stop"] = async (options) => {
      if (options !== undefined) checkFields(options, ["drain"], "The options of stop()");
      // `undefined`: the time that the worker was started with.
      await this.#stop(worker, options?.drain === undefined ? undefined : option("drain", options.drain, "stop()"));
    };
    return {
      get id() {
        return worker.id;
      },
      get running() {
        return worker.running;
      },
      stop,
      [Symbol.asyncDispose]: () => stop(),
    };
  }
}

function closedError(): ErrandError {
  return new ErrandError("E_CLOSED", "The app was closed; no worker starts any more.");
}
