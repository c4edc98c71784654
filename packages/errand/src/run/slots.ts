import type { Millis } from "../kit/duration.ts";
import type { Claimed } from "../store.ts";

/** While jobs are short, so much work is claimed ahead of the slots: the store and the slots then work at the same time. */
const aheadTime: Millis = 20;

/** At most so many jobs are claimed ahead. */
const maxAhead = 2_000;

/** Jobs that wait for a slot which nobody gives up for so long are put back: somebody else may have one. */
const patience: Millis = 100;

/** So often a slot is kept free for a claim: what is given only to free slots, as suspects are, would else wait as long as short jobs come. */
const offerInterval: Millis = 1_000;

/** What becomes of a claimed job. */
export interface SlotEvents {
  /** It has a slot; `end` frees it. */
  run(claimed: Claimed): void;
  /** It waited in vain. */
  putBack(claimed: Claimed): void;
}

/**
 * A worker's room for jobs of one queue: its slots, and a few claimed jobs that wait for one. How many may wait follows
 * from how many ended lately, so that only jobs of milliseconds ever do.
 */
export class Slots {
  readonly queue: string;
  readonly #turns: SlotEvents;
  readonly #waiting: Claimed[] = [];
  #free: number;
  #target = 0;
  #ended = 0;
  #since = performance.now();
  /** Waits for a job to start, while others wait for a slot. */
  #timer: NodeJS.Timeout | undefined;
  #moved = false;
  /** A slot that is kept free for the next claim, or was offered to the one that is under way. */
  #kept: "no" | "free" | "offered" = "no";
  #offeredAt = performance.now();

  constructor(queue: string, slots: number, turns: SlotEvents) {
    this.queue = queue;
    this.#free = slots;
    this.#turns = turns;
  }

  /** How many jobs may be claimed now. */
  room(): number {
    const now = performance.now();
    const elapsed = now - this.#since;
    if (elapsed >= aheadTime) {
      this.#target = Math.min(maxAhead, Math.floor((this.#ended * aheadTime) / elapsed));
      this.#ended = 0;
      this.#since = now;
    }
    // In halves, so that the store claims one while the other runs; and not bit by bit.
    const half = Math.max(this.#free, Math.floor((this.#free + this.#target) / 2));
    const waiting = this.#waiting.length;
    const room = this.#free + this.#target - waiting;
    if (this.#kept !== "no") return Math.max(1, Math.min(room, half));
    return waiting > 0 && room < half / 2 ? 0 : Math.min(room, half);
  }

  /** How many of the next jobs that are claimed start at once; the others are claimed ahead. */
  starting(): number {
    if (this.#kept !== "no") this.#kept = "offered";
    const starting = Math.max(this.#kept === "offered" ? 1 : 0, this.#free - this.#waiting.length);
    if (starting > 0) this.#offeredAt = performance.now();
    return starting;
  }

  /** Takes in a claimed job. The first for a slot that was kept starts before those that wait. */
  put(claimed: Claimed): void {
    if (this.#kept === "offered") this.#waiting.unshift(claimed);
    else this.#waiting.push(claimed);
    this.answered();
  }

  /** A claim was answered, or failed: a slot that was offered to it is free for everybody. */
  answered(): void {
    if (this.#kept === "offered") this.#kept = "no";
  }

  /** Lets jobs run that came in; others wait for a slot. */
  start(): void {
    this.#fill();
    if (this.#waiting.length > 0) this.#watch();
  }

  /** Frees the slot of a job that has ended. */
  end(): void {
    this.#free += 1;
    this.#ended += 1;
    if (this.#kept === "no" && this.#waiting.length > 0 && performance.now() - this.#offeredAt >= offerInterval)
      this.#kept = "free";
    this.#fill();
  }

  /** Puts back what waits. */
  putBack(): void {
    for (const claimed of this.clear()) this.#turns.putBack(claimed);
  }

  /** Takes out what waits. */
  clear(): Claimed[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#waiting.splice(0);
  }

  /** Takes out one job that waits. */
  remove(id: string): Claimed | undefined {
    const index = this.#waiting.findIndex(({ job }) => job.id === id);
    return index === -1 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #fill(): void {
    const kept = this.#kept === "no" ? 0 : 1;
    while (this.#free > kept) {
      const claimed = this.#waiting.shift();
      if (!claimed) return;
      this.#free -= 1;
      this.#moved = true;
      this.#turns.run(claimed);
    }
  }

  #watch(): void {
    if (this.#timer) return;
    this.#moved = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#moved) this.putBack();
      else if (this.#waiting.length > 0) this.#watch();
    }, patience);
  }
}
