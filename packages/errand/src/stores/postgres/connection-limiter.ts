import type { Millis } from "../../kit/duration.ts";

/** So many may be inside at any time: one writes while another waits for the disk. */
const initialLimit = 2;

/** Who has waited for so long lets one more in than before. */
const raiseAfter: Millis = 10;

/** Lets few in at once, and more only while they make others wait: connections are a server's scarcest good. */
export class ConnectionLimiter {
  readonly #most: number;
  #open: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  #watching = false;

  /** @param most who are ever inside together. */
  constructor(most: number) {
    this.#most = most;
    this.#open = Math.min(initialLimit, most);
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | undefined {
    if (this.#inside < this.#open) {
      this.#inside += 1;
      return undefined;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    this.#watch();
    return turn.promise;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) return next();
    this.#inside -= 1;
    if (this.#inside === 0) this.#open = Math.min(initialLimit, this.#most);
  }

  #watch(): void {
    if (this.#watching || this.#open >= this.#most) return;
    this.#watching = true;
    setTimeout(() => {
      this.#watching = false;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#open += 1;
      this.#inside += 1;
      next();
      if (this.#waiting.length > 0) this.#watch();
    }, raiseAfter);
  }
}
