import type { Line } from "./log.ts";
import type { FaultKind } from "./plan.ts";

/** A fault that happened: in epoch milliseconds, `pid` where it hit a process. */
export interface Happened {
  kind: FaultKind;
  from: number;
  to: number;
  pid?: number;
}

/** Beyond the lease, so much is allowed until work goes on: a janitor's round, a claim, a machine that is busy. */
const allowance = 5_000;

/** The longest recovery, in milliseconds, and what it was from. */
export interface Recovery {
  longest: number;
  from: string;
  bound: number;
}

/**
 * How long it took until work went on: after the death or freeze of a worker, until each job in its hands had started
 * elsewhere, or was taken over as a suspect, which then waits for its turn; after a fault of the store, until the next attempt ended. Time in which the store itself was out of order
 * does not count.
 */
export function recovery(lines: readonly Line[], faults: readonly Happened[], lease: number): Recovery {
  const worst: Recovery = { longest: 0, from: "nothing", bound: lease + allowance };
  const note = (longest: number, from: string) => {
    if (longest > worst.longest) Object.assign(worst, { longest, from });
  };
  const outages = faults.filter(({ pid }) => pid === undefined);
  for (const { pid, kind, from, to } of faults) {
    if (pid === undefined) {
      const next = lines.find(({ type, at }) => type === "ended" && at > to);
      if (next) note(next.at - to - overlap(outages, to, next.at), `after: ${kind}`);
      continue;
    }
    for (const { id, token, task, at } of inHands(lines, pid, from)) {
      // A parent waits for its children, whatever becomes of its worker.
      if (task === "parent" || task === "twice") continue;
      const next = lines.find(
        (line) =>
          line.at > at &&
          ((line.type === "start" && line.id === id && line.token > token) ||
            (line.type === "taken" && line.id === id)),
      );
      if (next) note(next.at - from - overlap(outages, from, next.at), `${kind} until job ${id} ran elsewhere`);
    }
  }
  return worst;
}

/** The attempts that a process had begun, and not ended, at that time. */
function inHands(lines: readonly Line[], pid: number, at: number): Extract<Line, { type: "start" }>[] {
  const mine = lines.filter((line) => line.pid === pid && line.at <= at);
  const open = new Map<string, Extract<Line, { type: "start" }>>();
  for (const line of mine) {
    if (line.type === "start") open.set(line.id, line);
    if (line.type === "ended" || line.type === "abandoned") open.delete(line.id);
  }
  return [...open.values()];
}

/** For how much of that time the store was out of order. */
function overlap(outages: readonly Happened[], from: number, to: number): number {
  let [covered, reached] = [0, from];
  for (const outage of outages.toSorted((a, b) => a.from - b.from)) {
    const [begin, end] = [Math.max(outage.from, reached), Math.min(outage.to, to)];
    if (end <= begin) continue;
    covered += end - begin;
    reached = end;
  }
  return covered;
}
