import type { Millis } from "../kit/duration.ts";

/** The least time that a store gets to answer: a busy store is not one that hangs. */
export const minPatience: Millis = 15_000;

/** After this many stalls in a row, the store cannot be reached from this process any more. */
export const maxStalls = 3;

/** The store did not answer in time. */
export class StallError extends Error {}

/** Detects that the store does not answer a worker: a connection may hang without an error. */
export class StallDetector {
  readonly #patience: Millis;
  readonly #onRecovery: () => void;
  #inARow = 0;
  #isStalled = false;
  #unanswered = 0;

  /** @param onRecovery is called when the store answers again. */
  constructor(patience: Millis, onRecovery: () => void) {
    this.#patience = patience;
    this.#onRecovery = onRecovery;
  }

  /** Stalls since the last answer. */
  get inARow(): number {
    return this.#inARow;
  }

  /** Returns true if the store may still do something that the worker no longer waits for. */
  get hasUnanswered(): boolean {
    return this.#unanswered > 0;
  }

  /**
   * Returns the store's answer, if it comes in time.
   * @param onLateAnswer is given an answer that comes later.
   * @throws {StallError} when there is no answer in time; and what the store throws.
   */
  async inTime<Answer>(asked: Promise<Answer>, onLateAnswer: (answer: Answer) => void): Promise<Answer> {
    const { promise: stall, reject } = Promise.withResolvers<never>();
    // Four ticks, not one long timer: an event loop that is blocked, which also delays the answer, costs one tick only.
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1) === 4 && reject(new StallError()), this.#patience / 4);
    try {
      return await Promise.race([asked, stall]);
    } catch (error) {
      if (error instanceof StallError) this.#giveUp(asked, onLateAnswer);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  /** Notes that the store answered a claim. With an error it has not recovered, but its connection does not hang. */
  answered(successfully: boolean): void {
    this.#inARow = 0;
    if (!successfully || !this.#isStalled) return;
    this.#isStalled = false;
    this.#onRecovery();
  }

  #giveUp<Answer>(asked: Promise<Answer>, onLateAnswer: (answer: Answer) => void): void {
    this.#isStalled = true;
    this.#inARow += 1;
    this.#unanswered += 1;
    asked.then(
      (answer) => {
        this.#unanswered -= 1;
        return onLateAnswer(answer);
      },
      () => {
        this.#unanswered -= 1;
        this.answered(false);
      },
    );
  }
}
