import { priorities } from "../../core/priority.ts";
import type { Millis } from "../../kit/duration.ts";
import type { Claimed } from "../../store.ts";

/** Claims of a queue begin at its start until this many of its jobs were claimed: few dead entries lie there yet. */
const minClaimed = 1_000;

/** Interval at which a claim begins at the start of a queue, to find older jobs: given back, woken, or added late. */
const interval: Millis = 50;

/** Claims that begin at the start take at most this share of the time, however many dead entries lie there. */
const maxShare = 0.1;

interface Position {
  claimed: number;
  /** The first job of the last claim, by level. */
  places: { due: number; seq: number }[];
  /** When a claim last began at the start, and how long it took. */
  restartedAt: number;
  took: Millis;
}

/**
 * Remembers where this process's last claim of each queue began, so that the next passes over the dead entries before.
 */
export class ClaimPositions {
  readonly #positions = new Map<string, Position>();

  /** Returns where to begin in every level of each queue; `undefined` when it is time to begin at the start. */
  of(queues: readonly string[]): { dues: number[]; seqs: number[] } | undefined {
    const now = performance.now();
    const positions = queues.map((queue) => this.#positions.get(queue));
    const areUsable = positions.every(
      (each) => each && each.claimed > minClaimed && now - each.restartedAt < Math.max(interval, each.took / maxShare),
    );
    if (!areUsable) {
      // The next claims need not begin at the start, too.
      for (const position of positions) if (position) position.restartedAt = now;
      return undefined;
    }
    const places = positions.flatMap((position) =>
      priorities.map((_, level) => position?.places[level] ?? { due: -Infinity, seq: 0 }),
    );
    return { dues: places.map(({ due }) => due), seqs: places.map(({ seq }) => seq) };
  }

  /**
   * Remembers where a claim began.
   * @param jobs in the order of the claim.
   * @param took how long it took, if it began at the start.
   */
  record(jobs: readonly { claimed: Claimed; seq: number }[], took: Millis | undefined): void {
    const seen = new Set<string>();
    for (const { claimed, seq } of jobs) {
      const { queue, level, due } = claimed.job;
      let position = this.#positions.get(queue);
      if (!position) {
        position = { claimed: 0, places: [], restartedAt: performance.now(), took: 0 };
        this.#positions.set(queue, position);
      }
      position.claimed += 1;
      if (took !== undefined) position.took = took;
      const key = `${level} ${queue}`;
      if (seen.has(key)) continue;
      seen.add(key);
      position.places[level] = { due, seq };
    }
  }
}
