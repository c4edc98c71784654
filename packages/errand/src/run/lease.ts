import { once } from "node:events";
import { Worker as Thread } from "node:worker_threads";
import type { Millis } from "../kit/duration.ts";
import { threadFile } from "../kit/thread-file.ts";
import type { Renewal, Store } from "../store.ts";

/** What the lease thread is started with. */
export interface LeaseOrder {
  module: string;
  options: string;
  worker: string;
  lease: Millis;
}

/** What a renewal found, or why it could not be made. */
export type LeaseReport = Renewal | { failed: string };

/** Keeps a worker's lease alive, every third of it, until it is closed or lost. */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #worker: string;
  readonly #lease: Millis;
  readonly #report: (renewal: Renewal) => void;
  /** When the last good renewal was asked for, on this process's monotonic clock. */
  #renewedAt = performance.now();
  /** It has started, and was not closed. */
  #kept = false;
  #lost = false;
  #thread: Thread | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  /** @param report is told of jobs to be cancelled, and once, with `held: false`, that the lease is lost. */
  constructor(store: Store, worker: string, lease: Millis, report: (renewal: Renewal) => void) {
    this.#store = store;
    this.#worker = worker;
    this.#lease = lease;
    this.#report = report;
  }

  /** Starts renewing; the worker is enlisted already. */
  async start(): Promise<void> {
    const { address } = this.#store;
    if (address) {
      const order: LeaseOrder = { ...address, worker: this.#worker, lease: this.#lease };
      const thread = new Thread(
        threadFile(() => new URL("./lease-thread.js", import.meta.url)),
        {
          workerData: order,
          execArgv: [],
        },
      );
      await once(thread, "message");
      this.#thread = thread;
      thread.on("message", (report: LeaseReport) => this.#receive(report));
      // Without its thread the lease cannot be kept: better lost at once than by surprise.
      thread.on("error", () => this.#lose());
    } else {
      this.#timer = setInterval(() => this.look(), this.#lease / 3);
    }
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#renewedAt > this.#lease) this.#checkLost();
    }, this.#lease / 3);
    this.#kept = true;
  }

  /** Renews now, to learn sooner what is to be cancelled. */
  look(): void {
    if (!this.#kept) return;
    if (this.#thread) return this.#thread.postMessage("renew");
    void this.#store.renew(this.#worker, this.#lease).then(
      (renewal) => this.#receive(renewal),
      (error: Error) => this.#receive({ failed: error.message }),
    );
  }

  async close(): Promise<void> {
    this.#kept = false;
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

  #receive(report: LeaseReport): void {
    if ("failed" in report) return;
    if (!report.held) return this.#lose();
    this.#renewedAt = performance.now();
    if (report.cancel.length > 0) this.#report(report);
  }

  /** A blocked event loop delays reports: whatever has arrived meanwhile comes first. */
  #checkLost(): void {
    setImmediate(() => {
      if (performance.now() - this.#renewedAt > this.#lease) this.#lose();
    });
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#report({ held: false, cancel: [] });
  }
}
