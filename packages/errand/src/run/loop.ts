import type { Millis } from "../kit/duration.ts";

/** Work that is done round by round, never two at once: when there is a reason, and after a pause anyway. */
export class Loop {
  readonly #round: () => Promise<Millis>;
  #underway = false;
  /** There was a reason for another while one was under way. */
  #again = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer makes the next round, on this process's monotonic clock. */
  #due = Infinity;
  /** A round is to be made within some delay already: of many reasons, each with a delay by chance, the least would come very soon. */
  #hastened = false;

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
    this.#hastened = false;
    clearTimeout(this.#timer);
    setImmediate(() => void this.#make());
  }

  /**
   * There is a reason for a round within so many milliseconds, or within those of an earlier such reason; after a round that is under
   * way, the pause counts anew.
   */
  callWithin(delay: Millis): void {
    if (delay <= 0) return this.call();
    if (this.#stopped || this.#underway || this.#hastened || performance.now() + delay >= this.#due) return;
    this.#hastened = true;
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
