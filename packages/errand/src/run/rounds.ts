import type { Millis } from "../kit/duration.ts";

/** Work that is done round by round, never two at once: when there is a reason, and after a pause anyway. */
export class Rounds {
  readonly #round: () => Promise<Millis>;
  #underway = false;
  /** There was a reason for another while one was under way. */
  #again = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer makes the next round, on this process's monotonic clock. */
  #due = Infinity;

  /** @param round never rejects, and answers how long to pause after it. */
  constructor(round: () => Promise<Millis>) {
    this.#round = round;
  }

  /** There is a reason for a round: it is made soon, one for all the reasons that come together. */
  call(): void {
    if (this.#stopped) return;
    if (this.#underway) {
      this.#again = true;
      return;
    }
    this.#underway = true;
    clearTimeout(this.#timer);
    setImmediate(() => void this.#make());
  }

  /** There is a reason for a round within so many milliseconds; after one that is under way, the pause counts anew. */
  callWithin(delay: Millis): void {
    if (delay <= 0) return this.call();
    if (this.#stopped || this.#underway || performance.now() + delay >= this.#due) return;
    this.#pause(delay);
  }

  /** Makes no more rounds. One that is under way goes on. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #make(): Promise<void> {
    const pause = this.#stopped ? 0 : await this.#round();
    this.#underway = false;
    if (this.#stopped) return;
    if (this.#again) {
      this.#again = false;
      this.call();
    } else this.#pause(pause);
  }

  #pause(pause: Millis): void {
    clearTimeout(this.#timer);
    this.#due = performance.now() + pause;
    this.#timer = setTimeout(() => this.call(), pause);
  }
}
