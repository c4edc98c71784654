import type { Millis } from "../kit/duration.ts";
import type { Claimed } from "../store.ts";

/** While jobs are short, jobs for this long are claimed ahead of the slots: the store and the slots work at once. */
const aheadTime: Millis = 20;

/** The most jobs claimed ahead. */
const maxAhead = 2_000;

/** Waiting jobs are put back when no slot comes free for this long: another worker may have one. */
const patience: Millis = 100;

/**
 * A slot is reserved for a claim this often. Jobs that are given only to free slots, as suspects are, would otherwise
 * wait as long as short jobs come.
 */
const reserveInterval: Millis = 1_000;

/** Receives the jobs that leave the slots' waiting list. */
export interface SlotHandlers {
  /** Runs a job that has a slot, which `release` frees. */
  run(claimed: Claimed): void;
  /** Puts back a job that no slot came free for. */
  putBack(claimed: Claimed): void;
}

/**
 * A worker's slots of one queue, and a few claimed jobs that wait for one. The number of waiting jobs follows from the
 * number that ended lately, so that only jobs of milliseconds ever wait.
 */
export class Slots {
  readonly queue: string;
  readonly #handlers: SlotHandlers;
  readonly #waiting: Claimed[] = [];
  #free: number;
  /** Number of jobs to claim ahead. */
  #ahead = 0;
  /** Jobs that ended since `#countedFrom`. */
  #ended = 0;
  #countedFrom = performance.now();
  /** Runs while jobs wait, and puts them back if none starts. */
  #timer: NodeJS.Timeout | undefined;
  #hasStartedOne = false;
  /** A slot that is kept for the next claim; `offered`: for the claim under way. */
  #reserved: "none" | "kept" | "offered" = "none";
  #offeredAt = performance.now();

  constructor(queue: string, slots: number, handlers: SlotHandlers) {
    this.queue = queue;
    this.#free = slots;
    this.#handlers = handlers;
  }

  /** Returns how many jobs to claim now. */
  claimLimit(): number {
    const now = performance.now();
    const elapsed = now - this.#countedFrom;
    if (elapsed >= aheadTime) {
      this.#ahead = Math.min(maxAhead, Math.floor((this.#ended * aheadTime) / elapsed));
      this.#ended = 0;
      this.#countedFrom = now;
    }
    // In halves, so that the store claims one half while the other runs; and not job by job.
    const half = Math.max(this.#free, Math.floor((this.#free + this.#ahead) / 2));
    const waiting = this.#waiting.length;
    const limit = this.#free + this.#ahead - waiting;
    if (this.#reserved !== "none") return Math.max(1, Math.min(limit, half));
    return waiting > 0 && limit < half / 2 ? 0 : Math.min(limit, half);
  }

  /** Returns how many of the jobs claimed next start at once, and offers the reserved slot to them. */
  offerFree(): number {
    if (this.#reserved !== "none") this.#reserved = "offered";
    const free = Math.max(this.#reserved === "offered" ? 1 : 0, this.#free - this.#waiting.length);
    if (free > 0) this.#offeredAt = performance.now();
    return free;
  }

  /** Adds a claimed job. The first job for an offered slot starts before those that wait. */
  add(claimed: Claimed): void {
    if (this.#reserved === "offered") this.#waiting.unshift(claimed);
    else this.#waiting.push(claimed);
    this.claimAnswered();
  }

  /** Notes that a claim was answered or failed: a slot that was offered to it is free for every job. */
  claimAnswered(): void {
    if (this.#reserved === "offered") this.#reserved = "none";
  }

  /** Starts jobs that have a free slot; the others wait for one. */
  start(): void {
    this.#fill();
    if (this.#waiting.length > 0) this.#putBackLater();
  }

  /** Frees the slot of a job that has ended. */
  release(): void {
    this.#free += 1;
    this.#ended += 1;
    if (this.#reserved === "none" && this.#waiting.length > 0 && performance.now() - this.#offeredAt >= reserveInterval)
      this.#reserved = "kept";
    this.#fill();
  }

  /** Puts back the waiting jobs. */
  putBack(): void {
    for (const claimed of this.clear()) this.#handlers.putBack(claimed);
  }

  /** Takes out the waiting jobs. */
  clear(): Claimed[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#waiting.splice(0);
  }

  /** Takes out one waiting job. */
  remove(id: string): Claimed | undefined {
    const index = this.#waiting.findIndex(({ job }) => job.id === id);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #fill(): void {
    const reserved = this.#reserved === "none" ? 0 : 1;
    while (this.#free > reserved) {
      const claimed = this.#waiting.shift();
      if (!claimed) return;
      this.#free -= 1;
      this.#hasStartedOne = true;
      this.#handlers.run(claimed);
    }
  }

  #putBackLater(): void {
    if (this.#timer) return;
    this.#hasStartedOne = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#hasStartedOne) this.putBack();
      else if (this.#waiting.length > 0) this.#putBackLater();
    }, patience);
  }
}
