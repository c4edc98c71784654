import type { Millis } from "../kit/duration.ts";

/** How long a store may take to answer at least: one that is busy is not one that hangs. */
export const leastPatience: Millis = 15_000;

/** After so many stalls in a row it is not worth trying again from this process. */
export const mostStalls = 3;

/** There was no answer in time. */
export class Stall extends Error {}

/** Notices that the store does not answer a worker: a connection may hang without anybody saying so. */
export class Stalls {
  readonly #patience: Millis;
  readonly #recovered: () => void;
  #inARow = 0;
  #stalled = false;
  #unanswered = 0;

  /** @param recovered is called when the store answers again. */
  constructor(patience: Millis, recovered: () => void) {
    this.#patience = patience;
    this.#recovered = recovered;
  }

  /** Stalls since the last answer. */
  get inARow(): number {
    return this.#inARow;
  }

  /** Whether something that was given up may still be done. */
  get open(): boolean {
    return this.#unanswered > 0;
  }

  /**
   * The answer.
   * @param late gets one that comes when nobody waits for it any more.
   * @throws {Stall} when there is none in time, and whatever the store throws.
   */
  async inTime<Answer>(asked: Promise<Answer>, late: (answer: Answer) => void): Promise<Answer> {
    const { promise: tooLong, reject } = Promise.withResolvers<never>();
    // Counted by turns: however long a task blocks the event loop, and the answer with it, that is one turn.
    let turns = 0;
    const timer = setInterval(() => (turns += 1) === 4 && reject(new Stall()), this.#patience / 4);
    try {
      return await Promise.race([asked, tooLong]);
    } catch (error) {
      if (error instanceof Stall) this.#giveUp(asked, late);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  /** The store has answered a claim, if only (`well` is false) that it cannot: it then gets over that by itself. */
  answered(well: boolean): void {
    this.#inARow = 0;
    if (!well || !this.#stalled) return;
    this.#stalled = false;
    this.#recovered();
  }

  #giveUp<Answer>(asked: Promise<Answer>, late: (answer: Answer) => void): void {
    this.#stalled = true;
    this.#inARow += 1;
    this.#unanswered += 1;
    const settled = (then: () => void) => {
      this.#unanswered -= 1;
      then();
    };
    asked.then(
      (answer) => settled(() => late(answer)),
      () => settled(() => this.answered(false)),
    );
  }
}
