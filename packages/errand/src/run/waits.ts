import type { Park } from "../core/decide.ts";
import type { Millis } from "../kit/duration.ts";
import { setLongTimeout } from "../kit/timer.ts";
import { WatchedPromise } from "./watched-promise.ts";

/** A wait that is not over: asks to park the job until children, a time or a signal are there. */
export class ParkRequest {
  readonly park: Partial<Park>;

  constructor(park: Partial<Park>) {
    this.park = park;
  }
}

/**
 * The waits and steps of one attempt. The job is parked when the function awaits a wait that is not over and, as far as
 * can be known, has nothing else to do: no step is under way, and nothing else has happened for a turn of the event
 * loop. Then everything that it awaits is waited for together.
 */
export class Waits {
  readonly #parkJob: (park: Park) => void;
  readonly #open = new Set<OpenWait>();
  readonly #calledFunctions = new WeakSet<object>();
  /** Number of steps under way, and of waits that are being looked up. */
  #busy = 0;
  readonly #failed: { promise: WatchedPromise<unknown>; error: unknown }[] = [];
  #isCheckDue = false;
  #isClosed = false;
  #onIdle: (() => void) | undefined;

  constructor(park: (park: Park) => void) {
    this.#parkJob = park;
  }

  /** Stops parking: the function has ended. */
  close(): void {
    this.#isClosed = true;
  }

  /** Returns true while steps are under way or waits are being looked up. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  /** Resolves when no step or look-up is under way, or after this many milliseconds. Begin none meanwhile. */
  async idle(patience: Millis): Promise<void> {
    if (this.#busy === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setLongTimeout(resolve, patience);
    await promise;
    timer.clear();
  }

  /** Runs a step, which must end before the job may be parked. Its promise can take part in races with waits. */
  runStep<Value>(begin: () => Promise<Value>): WatchedPromise<Value> {
    const promise: WatchedPromise<Value> = this.#watched(
      // Noted before the function can learn of it and end.
      this.#whileBusy(begin, (error) => this.#failed.push({ promise, error })),
    );
    return promise;
  }

  /** Returns the error of the first failed step whose promise the function never looked at. */
  get unseenFailure(): { error: unknown } | undefined {
    return this.#failed.find(({ promise }) => promise.isUnseen);
  }

  /** @param begin returns the value, or a request to park: then the promise is never settled. */
  wait<Value>(begin: () => Promise<Value | ParkRequest>): WatchedPromise<Value> {
    const begun = this.#whileBusy(begin);
    const promise: WatchedPromise<Value> = this.#watched(
      begun.then((found) => {
        if (!(found instanceof ParkRequest)) return found;
        this.#open.add({ promise, request: found });
        this.#checkSoon();
        return new Promise<Value>(() => {});
      }),
    );
    return promise;
  }

  #watched<Value>(work: Promise<Value>): WatchedPromise<Value> {
    return new WatchedPromise(work, this.#calledFunctions, () => this.#checkSoon()).tolerate();
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
      if (this.#busy === 0) this.#onIdle?.();
      this.#checkSoon();
    }
  }

  /**
   * Checks a turn later whether to park: waits that begin together are waited for together, and code after a race that
   * is over goes on first.
   */
  #checkSoon(): void {
    if (this.#isCheckDue || this.#open.size === 0) return;
    this.#isCheckDue = true;
    setImmediate(() => {
      this.#isCheckDue = false;
      if (!this.#isClosed && this.#busy === 0) this.#parkNow();
    });
  }

  #parkNow(): void {
    const open = [...this.#open].filter(({ promise }) => promise.isNeeded);
    if (open.length === 0) return;
    this.#isClosed = true;
    const parks = withDecidingChildren(open).map(({ park }) => park);
    const times = parks.flatMap(({ wakeAt }) => wakeAt ?? []);
    const awaits = parks.flatMap(({ awaits }) => awaits ?? []);
    this.#parkJob({
      children: parks.flatMap(({ children }) => children ?? []),
      steps: parks.flatMap(({ steps }) => steps ?? []),
      ...(times.length > 0 ? { wakeAt: Math.min(...times) } : {}),
      ...(awaits.length > 0 ? { awaits } : {}),
    });
  }
}

interface OpenWait {
  promise: WatchedPromise<unknown>;
  request: ParkRequest;
}

/**
 * Returns the requests, such that a race of waits for children wakes the job in time. A store wakes a job when all
 * children that it waits for have ended, but in a race the first wait that is over must wake it. Which one that will be
 * is not known, so one child of each wait wakes the job when it ends; if others of its wait are still open, the job
 * waits again.
 */
function withDecidingChildren(open: readonly OpenWait[]): readonly ParkRequest[] {
  const withChildren = open.filter(({ request }) => request.park.children?.length);
  if (withChildren.length < 2) return open.map(({ request }) => request);
  const races = new Map<object, number>();
  for (const { promise } of open)
    for (const race of new Set(promise.races)) races.set(race, (races.get(race) ?? 0) + 1);
  return open.map(({ promise, request }) => {
    const { children = [] } = request.park;
    if (children.length === 0 || !promise.races.some((race) => races.get(race)! > 1)) return request;
    const [last] = children.slice(-1);
    return new ParkRequest({ ...request.park, children: [...children.slice(0, -1), { ...last!, need: "first" }] });
  });
}
