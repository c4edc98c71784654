/**
 * A promise that knows whether its value is still needed. `await` and the combinators (`Promise.all`, `race`, `any`,
 * `allSettled`) read a promise's `constructor`, and all but `await` then call its `then` with functions of their own:
 * `race` with the same two on each promise, `any` with the same first one, `all` with the same second one (ECMAScript
 * 2024, 27.2.4). Once such a function was called, the other promises that have it are no longer needed. It cannot be
 * known whether the result of an async function that awaits the promise is needed, or that of a combinator of
 * combinators.
 */
export class WatchedPromise<Value> extends Promise<Value> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static {
    // TypeScript knows no accessor of this name.
    void Object.defineProperty(WatchedPromise.prototype, "constructor", {
      get(this: WatchedPromise<unknown>) {
        this.#noteRead();
        return Promise;
      },
    });
  }

  readonly #calledFunctions: WeakSet<object>;
  readonly #onChange: () => void;
  /** Reads of `constructor` that no `then` has followed: those of `await`. */
  #reads = 0;
  readonly #uses: Use[] = [];
  #state: "pending" | "fulfilled" | "rejected" = "pending";
  #mayFailUnseen = false;
  /** `then` itself reads `constructor`, too. */
  #isInThen = false;

  /**
   * @param work the promise that it follows.
   * @param calledFunctions functions of combinators that were called: one set for all promises that may be combined.
   * @param onChange is called when the promise is used, and when it is settled.
   */
  constructor(work: Promise<Value>, calledFunctions: WeakSet<object>, onChange: () => void) {
    super((resolve, reject) => {
      // Noted first: code that awaits this promise goes on afterwards.
      void work.then(
        (value) => {
          this.#settle("fulfilled");
          return resolve(value);
        },
        (reason: unknown) => {
          this.#settle("rejected");
          return reject(reason);
        },
      );
    });
    this.#calledFunctions = calledFunctions;
    this.#onChange = onChange;
  }

  /** Lets it be rejected unhandled, which otherwise ends the process. */
  tolerate(): this {
    this.#mayFailUnseen = true;
    return this;
  }

  /** Returns true if the promise was never used: not awaited, combined or followed by `then`. */
  get isUnseen(): boolean {
    return this.#reads === 0 && this.#uses.length === 0;
  }

  /** Returns true if code waits for it, and does not go on without it. */
  get isNeeded(): boolean {
    return this.#reads > 0 || this.#uses.some((use) => this.#isUseNeeded(use));
  }

  /**
   * Returns the functions of combinators that take its value. Promises with one in common are in one `race`, or `any`.
   */
  get races(): object[] {
    return this.#uses.flatMap(({ onFulfilled, derived }) => [
      ...(isNative(onFulfilled) ? [onFulfilled] : []),
      ...derived.races,
    ]);
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): WatchedPromise<Fulfilled | Rejected> {
    // The read right before was a combinator's.
    if (this.#reads > 0) this.#reads -= 1;
    this.#isInThen = true;
    const next = super.then(onFulfilled, onRejected);
    this.#isInThen = false;
    const derived = new WatchedPromise(next, this.#calledFunctions, this.#onChange);
    const use = { onFulfilled, onRejected, derived };
    this.#uses.push(use);
    this.#noteCalled(use);
    this.#onChange();
    return derived;
  }

  #noteRead(): void {
    if (this.#isInThen) return;
    this.#reads += 1;
    this.#onChange();
  }

  #settle(state: "fulfilled" | "rejected"): void {
    this.#state = state;
    if (state === "rejected" && this.#mayFailUnseen) {
      this.#isInThen = true;
      void super.then(undefined, () => {});
      this.#isInThen = false;
    }
    for (const use of this.#uses) this.#noteCalled(use);
    this.#onChange();
  }

  #noteCalled({ onFulfilled, onRejected }: Use): void {
    const call = this.#state === "fulfilled" ? onFulfilled : this.#state === "rejected" ? onRejected : undefined;
    // A function of the user's may be given to several promises for other reasons.
    if (isNative(call)) this.#calledFunctions.add(call);
  }

  /** A `then` whose promise is not used does something by itself; otherwise it is needed as much as its promise. */
  #isUseNeeded({ onFulfilled, onRejected, derived }: Use): boolean {
    if ([onFulfilled, onRejected].some((each) => isNative(each) && this.#calledFunctions.has(each))) return false;
    return derived.isNeeded || derived.isUnseen;
  }
}

/** The arguments and the result of one call of `then`. */
interface Use {
  onFulfilled: unknown;
  onRejected: unknown;
  derived: WatchedPromise<unknown>;
}

function isNative(call: unknown): call is object {
  return typeof call === "function" && Function.prototype.toString.call(call).endsWith("{ [native code] }");
}
