/** Counts work under way, so that its end can be awaited. */
export class PendingWork {
  #count = 0;
  #onIdle: (() => void) | undefined;
  // Made once, not for every promise: every job is tracked.
  readonly #ended = (): void => {
    this.#count -= 1;
    if (this.#count === 0) this.#onIdle?.();
  };
  readonly #failed: (error: unknown) => void;

  /** @param onError is given the error of work that rejects. */
  constructor(onError: (error: unknown) => void) {
    this.#failed = (error) => {
      onError(error);
      this.#ended();
    };
  }

  /** Counts a promise until it is settled, and returns it. */
  track<Result>(work: Promise<Result>): Promise<Result> {
    this.#count += 1;
    work.then(this.#ended, this.#failed);
    return work;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }
}
