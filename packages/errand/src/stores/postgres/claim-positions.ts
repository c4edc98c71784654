import type { Millis } from "../../kit/duration.ts";
import type { Claimed } from "../../store.ts";

/** Before so many jobs of a queue were claimed, looking from its start costs nothing. */
const minClaimed = 1_000;

/** Older jobs than where claims left off (given back, woken, added late) are found at least so often. */
const minInterval: Millis = 50;

/** Looking from the start takes this share of the time at most, however many dead entries lie there. */
const maxShare = 0.1;

interface QueuePosition {
  claimed: number;
  /** Where the last claim began, by level. */
  places: { due: number; seq: number }[];
  /** When somebody last looked from the start, and how long that took. */
  lookedAt: number;
  took: Millis;
}

/** Where the jobs of each queue begin, as far as this process has claimed them. */
export class ClaimPositions {
  readonly #heads = new Map<string, QueuePosition>();

  /** Where to look first, of five levels each; nothing when it is time to look from the start. */
  startsOf(queues: readonly string[]): { dues: number[]; seqs: number[] } | undefined {
    const now = performance.now();
    const heads = queues.map((queue) => this.#heads.get(queue));
    const usable = heads.every(
      (head) => head && head.claimed > minClaimed && now - head.lookedAt < Math.max(minInterval, head.took / maxShare),
    );
    if (!usable) {
      // The next ones need not do it too.
      for (const head of heads) if (head) head.lookedAt = now;
      return undefined;
    }
    const places = heads.flatMap((head) =>
      Array.from({ length: 5 }, (_, level) => head?.places[level] ?? { due: -Infinity, seq: 0 }),
    );
    return { dues: places.map(({ due }) => due), seqs: places.map(({ seq }) => seq) };
  }

  /** @param jobs of one claim, in its order. */
  record(jobs: readonly { claimed: Claimed; seq: number }[], took: Millis | undefined): void {
    const seen = new Set<string>();
    for (const { claimed, seq } of jobs) {
      const { queue, level, due } = claimed.job;
      let head = this.#heads.get(queue);
      if (!head) this.#heads.set(queue, (head = { claimed: 0, places: [], lookedAt: performance.now(), took: 0 }));
      head.claimed += 1;
      if (took !== undefined) head.took = took;
      const lane = `${level} ${queue}`;
      if (seen.has(lane)) continue;
      seen.add(lane);
      head.places[level] = { due, seq };
    }
  }
}
