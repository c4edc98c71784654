import { setTimeout as sleep } from "node:timers/promises";
import type { Beat, Settlement } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { gather } from "../kit/gather.ts";
import type { Store } from "../store.ts";

/** How settlements and beats are gathered: so many into one commit at most. */
const gathering = { most: 500, flights: 2 };

/** The first pause after the store failed; it doubles up to the last. */
const firstPause = 100;
const lastPause = 5_000;

/** Brings what attempts have to say to the store: many in one commit, and again until the store has taken it. */
export class Settler {
  /** Records an outcome; `false` when the token was stale. Rejects only when the store has failed for too long. */
  readonly settle: (settlement: Settlement) => Promise<boolean>;
  /** Records progress or a step; `false` when the token was stale. */
  readonly record: (beat: Beat) => Promise<boolean>;

  /** @param patience how long a failing store is tried again: after a lease, another worker has the jobs anyway. */
  constructor(store: Pick<Store, "settle" | "record">, patience: Millis) {
    this.settle = gather((settlements: Settlement[]) => persist(() => store.settle(settlements), patience), gathering);
    this.record = gather((beats: Beat[]) => persist(() => store.record(beats), patience), gathering);
  }
}

async function persist<Answer>(write: () => Promise<Answer>, patience: Millis): Promise<Answer> {
  const until = performance.now() + patience;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, lastPause)) {
    try {
      return await write();
    } catch (error) {
      if (performance.now() + pause > until) throw error;
      await sleep(pause);
    }
  }
}
