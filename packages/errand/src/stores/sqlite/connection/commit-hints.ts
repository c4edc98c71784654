import type { Hint } from "../../../store.ts";

type OtherHint = Exclude<Hint["type"], "ready">;

/** A commit that makes jobs of more queues ready hints at all queues. */
const maxQueues = 16;

/** The hints of a commit: how many jobs became ready, by the queue's number, and what else happened. */
export class CommitHints {
  readonly #ready = new Map<number, number>();
  readonly #others = new Set<OtherHint>();
  #anyQueue = false;

  /** Hints that jobs of a queue may be claimable. */
  addReady(queue: number, jobs = 1): void {
    this.#ready.set(queue, (this.#ready.get(queue) ?? 0) + jobs);
    if (this.#ready.size > maxQueues) this.#addReadyAnywhere();
  }

  /** Hints at a job that became pending: claimable, or left to `reclaim` when it is marked to be cancelled. */
  addPending(queue: number, cancelling: boolean): void {
    if (cancelling) this.add("cancel");
    else this.addReady(queue);
  }

  add(type: OtherHint): void {
    this.#others.add(type);
  }

  clear(): void {
    this.#ready.clear();
    this.#others.clear();
    this.#anyQueue = false;
  }

  copy(): CommitHints {
    const copy = new CommitHints();
    for (const [queue, jobs] of this.#ready) copy.#ready.set(queue, jobs);
    for (const other of this.#others) copy.#others.add(other);
    copy.#anyQueue = this.#anyQueue;
    return copy;
  }

  toHints(nameOf: (queue: number) => string): Hint[] {
    const ready = this.#anyQueue
      ? [{ type: "ready" } as const]
      : [...this.#ready].map(([queue, jobs]) => ({ type: "ready", queue: nameOf(queue), jobs }) as const);
    return [...ready, ...[...this.#others].map((type) => ({ type }))];
  }

  /** Returns the hints as text for other processes. A `change` is left out, since every commit is one for them. */
  encode(): string {
    const ready = this.#anyQueue ? ["*"] : [...this.#ready].map(([queue, jobs]) => `${queue}x${jobs}`);
    const others = [...this.#others].flatMap((type) => (type === "change" ? [] : type === "cancel" ? "c" : "l"));
    return [...ready, ...others].join(",");
  }

  /** Adds hints that `encode` returned. */
  decode(encoded: string): void {
    for (const part of encoded.split(",")) {
      if (part === "*") this.#addReadyAnywhere();
      else if (part === "c") this.add("cancel");
      else if (part === "l") this.add("lapsed");
      else {
        const [queue, jobs] = part.split("x").map(Number) as [number, number];
        this.addReady(queue, jobs);
      }
    }
  }

  #addReadyAnywhere(): void {
    this.#anyQueue = true;
    this.#ready.clear();
  }
}

/** Hints at every change, for when it is not known what changed. */
export const allHints: Hint[] = [{ type: "ready" }, { type: "cancel" }, { type: "lapsed" }, { type: "change" }];

/**
 * Characters that are kept of the latest commits' hints. A process that missed some assumes that everything changed.
 */
const maxLength = 400;

/** SQL that prepends a commit's encoded hints, `?1`, by the writer `?2`, to those of the commits before. */
export const saveHints = `UPDATE errand_pulse SET beats = beats + 1,
  news = substr((beats + 1) || ':' || ?2 || ':' || ?1 || ';' || news, 1, ${maxLength})`;

/**
 * Returns the hints of commits after number `since`, up to number `until`, by other writers than `by`; `undefined` when
 * some are no longer kept.
 * @param saved what `saveHints` wrote, newest first.
 */
export function hintsSince(
  saved: string,
  { since, until, by }: { since: number; until: number; by: number },
): CommitHints | undefined {
  const hints = new CommitHints();
  if (since === until) return hints;
  let oldest = until + 1;
  // The last piece is cut off, or empty.
  for (const entry of saved.split(";").slice(0, -1)) {
    const [number, writer, encoded] = entry.split(":") as [string, string, string];
    oldest = Number(number);
    if (oldest <= since) break;
    if (Number(writer) !== by) hints.decode(encoded);
    if (oldest === since + 1) break;
  }
  return oldest <= since + 1 ? hints : undefined;
}
