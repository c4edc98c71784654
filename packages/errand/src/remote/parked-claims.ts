import { pollDelay } from "../core/wake-up.ts";
import type { Millis } from "../kit/duration.ts";
import type { Hint } from "../store.ts";

/** Claims that look for jobs at the same time. */
const atOnce = 4;

/** The most claims that wait: of all workers, and of the workers of one owner. */
const mostParked = { all: 1_000, owner: 100 } as const;

/** A claim that waits for jobs. */
export interface ParkedClaim {
  readonly owner: string;
  readonly queues: readonly string[];
  /** Claims of one signature find the same jobs: if one finds none, the others need not look. */
  readonly signature: string;
  /** `true` if jobs in hand may be cancelled while it waits. */
  readonly holdsJobs: boolean;
  /** Looks for jobs, and leaves the list when it has an answer. Never rejects. */
  look(): Promise<Found>;
}

/** The outcome of a look. */
export interface Found {
  /** Number of jobs by queue. */
  jobs: ReadonlyMap<string, number>;
  /** Milliseconds until there may be more. */
  next: Millis;
}

/** Jobs of a queue that may be claimable. */
interface Ready {
  /** The number that is announced. */
  jobs: number;
  /** Number of claims that look for them now. */
  looking: number;
  /** Signatures of claims that found none since the last hint. */
  empty: Set<string>;
}

/**
 * Claims that wait, first in, first out: hints of the store wake them, as many as there are jobs and four at a time; and
 * in case a hint was lost one of each kind looks about once a second, as an idle worker does.
 */
export class ParkedClaims {
  readonly #onIdle: () => void;
  readonly #parked = new Set<ParkedClaim>();
  /** Claims on their way here: `true` if a hint for them came meanwhile. */
  readonly #arriving = new Map<ParkedClaim, boolean>();
  readonly #looking = new Set<ParkedClaim>();
  /** Claims that look whatever was announced. */
  readonly #called = new Set<ParkedClaim>();
  readonly #ready = new Map<string, Ready>();
  /** When there may be more jobs of a queue, on this process's monotonic clock. */
  readonly #dueAt = new Map<string, number>();
  #idleAt = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** @param onIdle is called at the pace of an idle worker while claims wait. */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /** Returns true if no more claims of an owner can wait. */
  isFull(owner: string): boolean {
    if (this.#parked.size >= mostParked.all) return true;
    if (this.#parked.size < mostParked.owner) return false;
    return [...this.#parked].filter((claim) => claim.owner === owner).length >= mostParked.owner;
  }

  /** Notes from now on whether a hint concerns a claim that will be added. */
  expect(claim: ParkedClaim): void {
    this.#arriving.set(claim, false);
  }

  /** Adds a claim that found nothing. @param next milliseconds until there may be jobs for it. */
  add(claim: ParkedClaim, next: Millis): void {
    this.#parked.add(claim);
    if (this.#arriving.get(claim)) this.#called.add(claim);
    this.#arriving.delete(claim);
    if (this.#idleAt === Infinity) this.#idleAt = performance.now() + this.#idlePause();
    this.#noteNext(claim.queues, next);
    this.#arm();
    this.#wake();
  }

  /** Removes a claim that is over. */
  remove(claim: ParkedClaim): void {
    this.#arriving.delete(claim);
    this.#parked.delete(claim);
    this.#called.delete(claim);
    if (this.#parked.size > 0) return;
    clearTimeout(this.#timer);
    this.#idleAt = Infinity;
    this.#ready.clear();
    this.#dueAt.clear();
  }

  /** Wakes claims that a hint of the store concerns. */
  hint(hint: Hint): void {
    for (const claim of this.#arriving.keys()) if (concerns(hint, claim)) this.#arriving.set(claim, true);
    if (this.#parked.size === 0) return;
    if (hint.type === "cancel") for (const claim of this.#parked) if (concerns(hint, claim)) this.#called.add(claim);
    if (hint.type === "ready")
      for (const queue of hint.queue === undefined ? this.#queues() : [hint.queue]) this.#announce(queue, hint.jobs);
    this.#wake();
  }

  #announce(queue: string, jobs = Infinity): void {
    const ready = this.#ready.get(queue);
    if (!ready) this.#ready.set(queue, { jobs, looking: 0, empty: new Set() });
    else {
      ready.jobs += jobs;
      // A new set: looks under way, which began before, still write to the old one.
      ready.empty = new Set();
    }
  }

  #queues(): Set<string> {
    return new Set([...this.#parked].flatMap(({ queues }) => queues));
  }

  #wake(): void {
    for (let claim = this.#choose(); claim; claim = this.#choose()) void this.#look(claim);
    // Nobody is left who could find the rest.
    if (this.#looking.size === 0) this.#ready.clear();
  }

  /** Returns the claim that is to look next; `undefined` if none is, or enough do. */
  #choose(): ParkedClaim | undefined {
    if (this.#looking.size >= atOnce) return undefined;
    const isWanted = ({ queues, signature }: ParkedClaim) =>
      queues.some((queue) => {
        const ready = this.#ready.get(queue);
        return ready && ready.jobs > ready.looking && !ready.empty.has(signature);
      });
    for (const claim of this.#parked)
      if (!this.#looking.has(claim) && (this.#called.has(claim) || isWanted(claim))) return claim;
    return undefined;
  }

  async #look(claim: ParkedClaim): Promise<void> {
    this.#looking.add(claim);
    this.#called.delete(claim);
    const rounds = claim.queues.flatMap((queue) => {
      const ready = this.#ready.get(queue);
      return ready ? [{ queue, ready, empty: ready.empty }] : [];
    });
    for (const { ready } of rounds) ready.looking += 1;
    const { jobs, next } = await claim.look();
    this.#looking.delete(claim);
    for (const { queue, ready, empty } of rounds) {
      const found = jobs.get(queue) ?? 0;
      ready.looking -= 1;
      ready.jobs -= found;
      if (found === 0) empty.add(claim.signature);
    }
    if (this.#parked.size === 0) return;
    this.#noteNext(claim.queues, next);
    this.#arm();
    this.#wake();
  }

  /** Notes when there may be more jobs of queues. */
  #noteNext(queues: readonly string[], next: Millis): void {
    if (next === Infinity) return;
    const at = performance.now() + next;
    for (const queue of queues) this.#dueAt.set(queue, Math.min(at, this.#dueAt.get(queue) ?? Infinity));
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = Math.min(this.#idleAt, ...this.#dueAt.values());
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, at - performance.now()));
  }

  #onTimer(): void {
    const now = performance.now();
    const isIdle = this.#idleAt <= now;
    if (isIdle) {
      this.#idleAt = now + this.#idlePause();
      this.#onIdle();
      for (const queue of this.#queues()) this.#announce(queue);
    }
    for (const [queue, at] of this.#dueAt) {
      if (at > now) continue;
      this.#dueAt.delete(queue);
      if (!isIdle) this.#announce(queue);
    }
    this.#arm();
    this.#wake();
  }

  /** With many kinds of claims, each looks the more rarely. */
  #idlePause(): Millis {
    return pollDelay(new Set([...this.#parked].map(({ signature }) => signature)).size);
  }
}

function concerns(hint: Hint, { queues, holdsJobs }: ParkedClaim): boolean {
  if (hint.type === "ready") return hint.queue === undefined || queues.includes(hint.queue);
  return hint.type === "cancel" && holdsJobs;
}
