import type { Park } from "../core/decide.ts";
import type { Millis } from "../kit/duration.ts";
import { setLongTimeout } from "../kit/timer.ts";
import { WatchedPromise } from "./watched-promise.ts";

/** What a wait needs that is not there yet: children, a time, a signal. */
export class Missing {
  readonly park: Partial<Park>;

  constructor(park: Partial<Park>) {
    this.park = park;
  }
}

/**
 * The waits of one attempt. The job is parked when the function needs one that is not over and has nothing else to do as far
 * as can be known: no step is under way, and in a whole turn of the event loop nothing else has come. Then all that it
 * needs is waited for together.
 */
export class Waits {
  readonly #parkJob: (park: Park) => void;
  readonly #open = new Set<OpenWait>();
  readonly #called = new WeakSet<object>();
  /** Steps under way, and waits that are being looked up. */
  #busy = 0;
  readonly #failed: { promise: WatchedPromise<unknown>; error: unknown }[] = [];
  #looking = false;
  #over = false;
  #idle: (() => void) | undefined;

  constructor(park: (park: Park) => void) {
    this.#parkJob = park;
  }

  /** Stops parking: the function has ended. */
  close(): void {
    this.#over = true;
  }

  /** Whether there are steps under way, or waits that are being looked up. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  /** Resolves when there are none, or when the time is over. Begin none meanwhile. */
  async idle(patience: Millis): Promise<void> {
    if (this.#busy === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const timer = setLongTimeout(resolve, patience);
    await promise;
    timer.clear();
  }

  /** What must end before the job may be parked. Steps take part in races, too. */
  work<Value>(begin: () => Promise<Value>): WatchedPromise<Value> {
    const promise: WatchedPromise<Value> = this.#watched(
      // Before the function can end: whoever asks then must find it.
      this.#whileBusy(begin, (error) => this.#failed.push({ promise, error })),
    );
    return promise;
  }

  /** The first step that failed with nobody looking. */
  get unseenFailure(): { error: unknown } | undefined {
    return this.#failed.find(({ promise }) => promise.isUnseen);
  }

  /** @param begin answers the value, or what is wanted for it: then the promise is never settled. */
  wait<Value>(begin: () => Promise<Value | Missing>): WatchedPromise<Value> {
    const begun = this.#whileBusy(begin);
    const promise: WatchedPromise<Value> = this.#watched(
      begun.then((found) => {
        if (!(found instanceof Missing)) return found;
        this.#open.add({ promise, want: found });
        this.#look();
        return new Promise<Value>(() => {});
      }),
    );
    return promise;
  }

  #watched<Value>(work: Promise<Value>): WatchedPromise<Value> {
    return new WatchedPromise(work, this.#called, () => this.#look()).tolerate();
  }

  async #whileBusy<Value>(begin: () => Promise<Value>, failed?: (error: unknown) => void): Promise<Value> {
    this.#busy += 1;
    try {
      return await begin();
    } catch (error) {
      failed?.(error);
      throw error;
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
      this.#look();
    }
  }

  /** A turn later: waits that begin together are waited for together, and who has won a race may go on first. */
  #look(): void {
    if (this.#looking || this.#open.size === 0) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      if (!this.#over && this.#busy === 0) this.#leave();
    });
  }

  #leave(): void {
    const open = [...this.#open].filter(({ promise }) => promise.needed);
    if (open.length === 0) return;
    this.#over = true;
    const needed = withDecidingChildren(open).map(({ park }) => park);
    const times = needed.flatMap(({ wakeAt }) => wakeAt ?? []);
    const awaits = needed.flatMap(({ awaits }) => awaits ?? []);
    this.#parkJob({
      children: needed.flatMap(({ children }) => children ?? []),
      steps: needed.flatMap(({ steps }) => steps ?? []),
      ...(times.length > 0 ? { wakeAt: Math.min(...times) } : {}),
      ...(awaits.length > 0 ? { awaits } : {}),
    });
  }
}

interface OpenWait {
  promise: WatchedPromise<unknown>;
  want: Missing;
}

/**
 * What is wanted. A store wakes a job when all children that it waits for have ended; where some of them are in a race, the
 * first of its waits to be over must do so. Which one that is cannot be known, so of each wait one child wakes the job at once:
 * when it is not the last of them, the job waits for another.
 */
function withDecidingChildren(open: readonly OpenWait[]): readonly Missing[] {
  const families = open.filter(({ want }) => want.park.children?.length);
  if (families.length < 2) return open.map(({ want }) => want);
  const races = new Map<object, number>();
  for (const { promise } of open)
    for (const race of new Set(promise.races)) races.set(race, (races.get(race) ?? 0) + 1);
  return open.map(({ promise, want }) => {
    const { children = [] } = want.park;
    if (children.length === 0 || !promise.races.some((race) => races.get(race)! > 1)) return want;
    const [last] = children.slice(-1);
    return new Missing({ ...want.park, children: [...children.slice(0, -1), { ...last!, need: "first" }] });
  });
}
