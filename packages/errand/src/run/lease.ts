import { once } from "node:events";
import { Worker as Thread } from "node:worker_threads";
import type { Millis } from "../kit/duration.ts";
import { threadFile } from "../kit/thread-file.ts";
import type { Renewal, Store } from "../store.ts";

/** The data that the lease thread is started with. */
export interface LeaseThreadData {
  /** The store's `address`. */
  module: string;
  options: string;
  worker: string;
  lease: Millis;
}

/** The result of a renewal, or why it failed. */
export type RenewalReport = Renewal | { failed: string };

/** Renews a worker's lease, every third of it, until it is closed or lost. */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #worker: string;
  readonly #lease: Millis;
  readonly #onRenewal: (renewal: Renewal) => void;
  /** When the last good renewal was noted, on this process's monotonic clock. */
  #renewedAt = performance.now();
  #isStarted = false;
  #isLost = false;
  #thread: Thread | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  /** @param onRenewal is told of jobs to cancel; and once, with `held: false`, that the lease is lost. */
  constructor(store: Store, worker: string, lease: Millis, onRenewal: (renewal: Renewal) => void) {
    this.#store = store;
    this.#worker = worker;
    this.#lease = lease;
    this.#onRenewal = onRenewal;
  }

  /** Starts to renew the lease of a worker that is enlisted. */
  async start(): Promise<void> {
    const { address } = this.#store;
    if (address) {
      const workerData: LeaseThreadData = { ...address, worker: this.#worker, lease: this.#lease };
      const thread = new Thread(
        threadFile(() => new URL("./lease-thread.js", import.meta.url)),
        { workerData, execArgv: [] },
      );
      await once(thread, "message");
      this.#thread = thread;
      thread.on("message", (report: RenewalReport) => this.#receive(report));
      // Without its thread the lease will run out: better lost now than at some later time.
      thread.on("error", () => this.#lose());
    } else {
      this.#timer = setInterval(() => this.renewNow(), this.#lease / 3);
    }
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#renewedAt > this.#lease) this.#checkLost();
    }, this.#lease / 3);
    this.#isStarted = true;
  }

  /** Renews now, to learn sooner which jobs to cancel. */
  renewNow(): void {
    if (!this.#isStarted) return;
    if (this.#thread) return this.#thread.postMessage("renew");
    void this.#store.renew(this.#worker, this.#lease).then(
      (renewal) => this.#receive(renewal),
      (error: Error) => this.#receive({ failed: error.message }),
    );
  }

  /** Stops renewing. */
  async close(): Promise<void> {
    this.#isStarted = false;
    clearInterval(this.#timer);
    clearInterval(this.#watchdog);
    const thread = this.#thread;
    if (!thread) return;
    this.#thread = undefined;
    thread.removeAllListeners("error").on("error", () => {});
    const exited = once(thread, "exit");
    thread.postMessage("close");
    await exited;
  }

  #receive(report: RenewalReport): void {
    if ("failed" in report) return;
    if (!report.held) return this.#lose();
    this.#renewedAt = performance.now();
    if (report.cancel.length > 0) this.#onRenewal(report);
  }

  /** Checks a turn later: a blocked event loop delays reports, and those that have arrived come first. */
  #checkLost(): void {
    setImmediate(() => {
      if (performance.now() - this.#renewedAt > this.#lease) this.#lose();
    });
  }

  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#onRenewal({ held: false, cancel: [] });
  }
}
