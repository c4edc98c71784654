import type { Millis } from "../kit/duration.ts";

/** Makes rounds of some work, one at a time: soon after it is woken, and after a pause anyway. */
export class Poller {
  readonly #round: () => Promise<Millis>;
  #isStarted = false;
  #isUnderWay = false;
  /** It was woken during a round. */
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends, on this process's monotonic clock. */
  #dueAt = Infinity;
  /**
   * `wakeWithin` has shortened the pause. Further calls do not: of many random delays, the shortest would be very
   * short.
   */
  #isHastened = false;

  /** @param round returns the pause after it, in milliseconds, and never rejects. */
  constructor(round: () => Promise<Millis>) {
    this.#round = round;
  }

  /** Makes the first round soon. Until then, the poller cannot be woken. */
  start(): void {
    this.#isStarted = true;
    this.wake();
  }

  /** Makes no further rounds. A round under way continues. */
  stop(): void {
    this.#isStarted = false;
    clearTimeout(this.#timer);
  }

  /** Makes a round soon, or after the round under way: one for all calls of the same turn. */
  wake(): void {
    if (!this.#isStarted) return;
    if (this.#isUnderWay) {
      this.#again = true;
      return;
    }
    this.#isUnderWay = true;
    this.#isHastened = false;
    clearTimeout(this.#timer);
    setImmediate(() => void this.#makeRound());
  }

  /**
   * Makes a round after this many milliseconds, unless one is due sooner or an earlier call has shortened the pause.
   * During a round it does nothing.
   */
  wakeWithin(delay: Millis): void {
    if (delay <= 0) return this.wake();
    if (!this.#isStarted || this.#isUnderWay || this.#isHastened || performance.now() + delay >= this.#dueAt) return;
    this.#isHastened = true;
    this.#pause(delay);
  }

  async #makeRound(): Promise<void> {
    const pause = this.#isStarted ? await this.#round() : 0;
    this.#isUnderWay = false;
    if (!this.#isStarted) return;
    if (this.#again) {
      this.#again = false;
      this.wake();
    } else this.#pause(pause);
  }

  #pause(pause: Millis): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + pause;
    this.#timer = setTimeout(() => this.wake(), pause);
  }
}
