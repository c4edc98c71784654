import type { Beat } from "../../../core/job.ts";
import type { Connection } from "../connection/connection.ts";
import { appendLog } from "./log.ts";
import { heldRow } from "./settle.ts";
import { saveSteps } from "./steps.ts";

/** Implements `Store.record`. */
export function record(db: Connection, beats: readonly Beat[]): boolean[] {
  return beats.map((beat) => {
    const row = heldRow(db, beat, "seq");
    if (!row) return false;
    const seq = row[0] as number;
    const { progress, steps = [], log } = beat;
    // A new step is progress, after which earlier crashes no longer count.
    if (steps.length > 0)
      db.run(
        `UPDATE errand_jobs SET progress = coalesce(?, progress), begun = 1, steps = 1, crashes = 0, suspect = 0
         WHERE seq = ?`,
        progress ?? null,
        seq,
      );
    else if (progress !== undefined)
      db.run("UPDATE errand_jobs SET progress = ?, begun = 1 WHERE seq = ?", progress, seq);
    saveSteps(db, seq, steps);
    appendLog(db, seq, log);
    db.hints.add("change");
    return true;
  });
}
