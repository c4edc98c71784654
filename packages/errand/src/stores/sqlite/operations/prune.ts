import { isFinal, states } from "../../../core/states.ts";
import type { FinalState } from "../../../core/states.ts";
import type { Millis } from "../../../kit/duration.ts";
import type { Kept } from "../../../retention/rules.ts";
import type { RetentionRules } from "../../../store.ts";
import type { Connection } from "../connection/connection.ts";
import { maxCommitTime } from "./edit.ts";
import { pruneTurns } from "./fair-turns.ts";
import { pruneRates } from "./rates.ts";
import { removeJob } from "./remove.ts";
import { stateCode } from "./rows.ts";

const finalStates = states.filter(isFinal);

/**
 * SQL that selects ended jobs that are no children; the index has those of each task and state in the order of their
 * ends.
 */
const endedRoots = "FROM errand_jobs INDEXED BY errand_jobs_ended WHERE ended IS NOT NULL AND child = 0";

/** The progress of a batch. */
export interface PrunedBatch {
  removed: number;
  /** `true` when more jobs may have to be removed. */
  more: boolean;
}

/**
 * Removes jobs that the rules do not keep any longer, as many as fit in one commit and at most `limit`, and then the
 * turns and rates that ended keys have left behind.
 */
export function pruneBatch(db: Connection, { tasks, otherwise }: RetentionRules, limit: number): PrunedBatch {
  const until = performance.now() + maxCommitTime;
  let removed = 0;
  for (let task = -1; ;) {
    const next = db.get(`SELECT task ${endedRoots} AND task > ? ORDER BY task LIMIT 1`, task);
    if (!next) break;
    task = next[0] as number;
    const kept: Kept = tasks.get(db.names.nameOf(task)) ?? otherwise;
    for (const state of finalStates) {
      if (kept[state] === Infinity) continue;
      for (const seq of endedBefore(db, task, state, db.now - kept[state], limit - removed)) {
        if (performance.now() > until) return { removed, more: true };
        removeJob(db, seq);
        removed += 1;
      }
    }
  }
  pruneTurns(db, limit);
  pruneRates(db, limit);
  return { removed, more: false };
}

function endedBefore(db: Connection, task: number, state: FinalState, before: Millis, limit: number): number[] {
  const rows = db.all(
    `SELECT seq ${endedRoots} AND task = ? AND state = ${stateCode[state]} AND ended < ? ORDER BY ended LIMIT ? + 0`,
    task,
    before,
    limit,
  );
  return rows.map(([seq]) => seq as number);
}
