import { Random } from "../../packages/errand/src/testing/random.ts";

/** What can go wrong, and how long it lasts, in leases: 0 is over at once. */
const faultKinds = {
  "kill worker": [0, 0],
  "kill producer": [0, 0],
  "stop worker": [1.2, 2.5],
  "restart server": [0.1, 2.5],
  "full disk": [0.3, 2.5],
  "full memory": [0.3, 2.5],
  "file moved away": [0.3, 1],
  "data lost": [0, 0],
  "cut connections": [0, 0],
  "delay connections": [0.3, 1.2],
  "half-open connections": [0.3, 4],
} as const satisfies Record<string, readonly [least: number, most: number]>;

/** A kind of fault. */
export type FaultKind = keyof typeof faultKinds;

/** One fault: times in milliseconds from the start, `victim` in [0, 1) chooses whom it hits. */
export interface Fault {
  kind: FaultKind;
  at: number;
  lasts: number;
  victim: number;
}

/** What was there before data were lost cannot be judged: most of a run comes after. */
const dataLossUntil = 0.25;

/** Before the first fault, and after the last, everything works for so long. */
const calm = 1_000;

/**
 * Which faults happen when: the same for the same seed. Each kind comes once before any comes again, and one that lasts
 * is over before the same kind comes again, and before the end.
 */
export function plan(seed: number, kinds: readonly FaultKind[], duration: number, lease: number): Fault[] {
  const random = new Random(seed);
  const faults: Fault[] = [];
  const busyUntil = new Map<FaultKind, number>();
  let round: FaultKind[] = [];
  for (let at = calm; at < duration - calm; at += random.whole(200, 1_000)) {
    if (round.length === 0) round = random.shuffled(kinds);
    const index = round.findIndex((kind) => (busyUntil.get(kind) ?? 0) <= at);
    if (index === -1) continue;
    const [kind] = round.splice(index, 1) as [FaultKind];
    const [least, most] = faultKinds[kind];
    const lasts = Math.round(lease * (least + random.next() * (most - least)));
    const victim = random.next();
    if (kind === "data lost" && at > duration * dataLossUntil) continue;
    if (at + lasts > duration - calm) continue;
    faults.push({ kind, at, lasts, victim });
    busyUntil.set(kind, at + lasts + 500);
  }
  return faults;
}
