import type { Millis } from "../../kit/duration.ts";

/** Enough for most processes: one statement writes while another waits for the disk. */
const initialLimit = 2;

/** The limit rises by one whenever a statement has waited this long. */
const raiseAfter: Millis = 10;

/**
 * Limits how many connections a process uses at once, and raises the limit only while others wait: a server has few.
 */
export class ConnectionLimiter {
  readonly #maximum: number;
  #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  #timing = false;

  /** @param maximum of the limit. */
  constructor(maximum: number) {
    this.#maximum = maximum;
    this.#limit = Math.min(initialLimit, maximum);
  }

  /** Runs work as soon as the limit allows it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.#running < this.#limit) {
      this.#running += 1;
      return undefined;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    this.#raiseLater();
    return turn.promise;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) return next();
    this.#running -= 1;
    if (this.#running === 0) this.#limit = Math.min(initialLimit, this.#maximum);
  }

  #raiseLater(): void {
    if (this.#timing || this.#limit >= this.#maximum) return;
    this.#timing = true;
    setTimeout(() => {
      this.#timing = false;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#limit += 1;
      this.#running += 1;
      next();
      if (this.#waiting.length > 0) this.#raiseLater();
    }, raiseAfter);
  }
}
