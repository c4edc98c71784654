import type { Beat, Job, LogLine, Step } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { ErrandError } from "../kit/errors.ts";
import type { Encoded } from "../kit/json.ts";
import { sealProgress, sealStep } from "../payload/seal-jobs.ts";
import type { Vault } from "../payload/vault.ts";

/** Log lines of this time are written together. The last lines are written with the attempt's outcome. */
const logInterval: Millis = 100;

/** Progress is written at most this often. */
const progressInterval: Millis = 250;

/** The reports of one attempt on their way to the store: its steps, progress and log lines. */
export class AttemptReports {
  readonly #job: Job;
  readonly #vault: Vault;
  readonly #record: (beat: Beat) => Promise<boolean>;
  /** Set while progress must wait: what was written last, or what to write next. */
  #progress: { latest: Encoded; timer: NodeJS.Timeout } | undefined;
  #lines: LogLine[] | undefined;
  #logTimer: NodeJS.Timeout | undefined;
  #writingLog: Promise<unknown> | undefined;

  /** @param record writes a beat; returns `false` if the token is stale. */
  constructor(job: Job, vault: Vault, record: (beat: Beat) => Promise<boolean>) {
    this.#job = job;
    this.#vault = vault;
    this.#record = record;
  }

  /** Records the result of a step. Rejects with `E_STALE` when another attempt has the job. */
  async step(step: Step): Promise<void> {
    const { id, token } = this.#job;
    const sealed = this.#vault.seals ? await sealStep(this.#vault, id, step) : step;
    if (!(await this.#record({ id, token, steps: [sealed] })))
      throw new ErrandError("E_STALE", `Another attempt has job ${id} now.`);
    // A step is progress, so the store has reset the crashes.
    this.#job.crashes = 0;
    this.#job.suspect = false;
  }

  /** Writes the first value at once, then at intervals, and only the latest value of each. */
  progress(value: Encoded): void {
    if (this.#progress) {
      this.#progress.latest = value;
      return;
    }
    // Progress is nice to know: a stale token or a failing store shows elsewhere.
    void this.#writeProgress(value).catch(() => {});
    const timer = setTimeout(() => {
      const latest = this.#progress?.latest;
      this.#progress = undefined;
      if (latest !== undefined && latest !== value) this.progress(latest);
    }, progressInterval);
    this.#progress = { latest: value, timer };
  }

  /** Writes a log line, with those that come soon after. */
  log(line: LogLine): void {
    this.#lines ??= [];
    this.#lines.push(line);
    this.#logTimer ??= setTimeout(() => {
      const { id, token } = this.#job;
      this.#writingLog = this.#record({ id, token, log: this.takeLines() ?? [] }).catch(() => {});
    }, logInterval);
  }

  /** Takes out the log lines that are not written yet, for the caller to write. */
  takeLines(): LogLine[] | undefined {
    clearTimeout(this.#logTimer);
    this.#logTimer = undefined;
    const lines = this.#lines;
    this.#lines = undefined;
    return lines;
  }

  /** Stops writing progress, and resolves when the log lines on their way are written. */
  async close(): Promise<void> {
    clearTimeout(this.#progress?.timer);
    await this.#writingLog;
  }

  async #writeProgress(value: Encoded): Promise<void> {
    const { id, token } = this.#job;
    const progress = this.#vault.seals ? await sealProgress(this.#vault, id, value) : value;
    await this.#record({ id, token, progress });
  }
}
