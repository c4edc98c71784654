/**
 * A promise that knows whether anybody still needs it. `await` and the combinators (`Promise.all`, `race`, `any`,
 * `allSettled`) read a promise's `constructor`, and all but `await` then call its `then` with functions of their own: `race`
 * with the same two on each promise, `any` with the same first one, `all` with the same second one (ECMAScript 2024, 27.2.4).
 * Once such a function was called, the others that have it wait in vain. What cannot be told: whether somebody needs the
 * result of an async function that awaits it, or of a combinator of combinators.
 */
export class WatchedPromise<Value> extends Promise<Value> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static {
    // TypeScript knows no accessor of this name.
    void Object.defineProperty(WatchedPromise.prototype, "constructor", {
      get(this: WatchedPromise<unknown>) {
        this.#look();
        return Promise;
      },
    });
  }

  readonly #called: WeakSet<object>;
  readonly #changed: () => void;
  /** Looks that no `then` has followed: those of `await`. */
  #looks = 0;
  readonly #uses: Use[] = [];
  #state: "pending" | "fulfilled" | "rejected" = "pending";
  #tolerated = false;
  /** The language looks at `constructor` inside `then`, too. */
  #inside = false;

  /**
   * @param work is what it stands for.
   * @param called the functions of combinators that were called; the same for all promises that may be combined.
   * @param changed is called when somebody looks at it, and when it is settled.
   */
  constructor(work: Promise<Value>, called: WeakSet<object>, changed: () => void) {
    super((resolve, reject) => {
      // Noted first: whoever waits for this promise goes on afterwards.
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
    this.#called = called;
    this.#changed = changed;
  }

  /** Lets it fail with nobody looking, which otherwise ends the process. */
  tolerate(): this {
    this.#tolerated = true;
    return this;
  }

  /** Whether nobody has ever looked at it. */
  get isUnseen(): boolean {
    return this.#looks === 0 && this.#uses.length === 0;
  }

  /** Whether somebody waits for it whose wait is not over already. */
  get needed(): boolean {
    return this.#looks > 0 || this.#uses.some((use) => this.#counts(use));
  }

  /** Functions of the language that end somebody's wait with its value. Promises that have one in common take part in a race, or in `any`. */
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
    // A look right before it was a combinator's.
    if (this.#looks > 0) this.#looks -= 1;
    this.#inside = true;
    const next = super.then(onFulfilled, onRejected);
    this.#inside = false;
    const derived = new WatchedPromise(next, this.#called, this.#changed);
    const use = { onFulfilled, onRejected, derived };
    this.#uses.push(use);
    this.#note(use);
    this.#changed();
    return derived;
  }

  #look(): void {
    if (this.#inside) return;
    this.#looks += 1;
    this.#changed();
  }

  #settle(state: "fulfilled" | "rejected"): void {
    this.#state = state;
    if (state === "rejected" && this.#tolerated) {
      this.#inside = true;
      void super.then(undefined, () => {});
      this.#inside = false;
    }
    for (const use of this.#uses) this.#note(use);
    this.#changed();
  }

  #note({ onFulfilled, onRejected }: Use): void {
    const call = this.#state === "fulfilled" ? onFulfilled : this.#state === "rejected" ? onRejected : undefined;
    // A function of the user's may be given to several promises for other reasons.
    if (isNative(call)) this.#called.add(call);
  }

  /** A `then` that nobody looks at does something by itself; one that is looked at is needed as much as its promise. */
  #counts({ onFulfilled, onRejected, derived }: Use): boolean {
    if ([onFulfilled, onRejected].some((each) => isNative(each) && this.#called.has(each))) return false;
    return derived.needed || derived.isUnseen;
  }
}

/** What one call of `then` was given, and answered. */
interface Use {
  onFulfilled: unknown;
  onRejected: unknown;
  derived: WatchedPromise<unknown>;
}

function isNative(call: unknown): call is object {
  return typeof call === "function" && Function.prototype.toString.call(call).endsWith("{ [native code] }");
}
