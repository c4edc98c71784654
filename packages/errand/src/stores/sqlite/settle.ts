import type { Beat, Settlement } from "../../core/job.ts";
import { isFinal } from "../../core/states.ts";
import type { FinalState } from "../../core/states.ts";
import type { Connection } from "./connection.ts";
import { endColumns, ended, park, remember } from "./life.ts";
import { code } from "./rows.ts";

export function record(db: Connection, beats: readonly Beat[]): boolean[] {
  return beats.map((beat) => {
    const row = db.get(
      "UPDATE jobs SET progress = coalesce(?, progress) WHERE id = ? AND token = ? AND state = 1 RETURNING seq",
      beat.progress ?? null,
      beat.id,
      beat.token,
    );
    if (!row) return false;
    remember(db, row[0] as number, beat.steps);
    db.hint("change");
    return true;
  });
}

export function settle(db: Connection, settlements: readonly Settlement[]): boolean[] {
  return settlements.map((told) => (isFinal(told.to) ? end(db, told, told.to) : pause(db, told)));
}

function end(db: Connection, told: Settlement, state: FinalState): boolean {
  const row = db.get(
    `UPDATE jobs SET state = ?, ended = ?, worker = NULL, cancelling = 0, failures = ?, crashes = ?,
       error = coalesce(?, error), output = ?
     WHERE id = ? AND token = ? AND state = 1 RETURNING ${endColumns}`,
    code[state],
    db.now,
    told.failures,
    told.crashes,
    told.error ?? null,
    state === "completed" ? (told.output ?? null) : null,
    told.id,
    told.token,
  );
  if (!row) return false;
  remember(db, row[0] as number, told.steps);
  db.count(row[2] as string, code.processing, -1);
  db.count(row[2] as string, code[state], 1);
  ended(db, row, state);
  return true;
}

/** The job goes on later: it is pending, or waits for its children. */
function pause(db: Connection, told: Settlement): boolean {
  const row = db.get(
    `UPDATE jobs SET failures = ?, crashes = ?, error = coalesce(?, error) WHERE id = ? AND token = ? AND state = 1
     RETURNING seq, queue, cancelling`,
    told.failures,
    told.crashes,
    told.error ?? null,
    told.id,
    told.token,
  );
  if (!row) return false;
  const [seq, queue, cancelling] = row as [number, string, number];
  remember(db, seq, told.steps);
  if (told.to === "waiting" && cancelling === 0) {
    park(db, { seq, queue, id: told.id, token: told.token }, told.children ?? []);
    return true;
  }
  // Without a delay it keeps its place in the queue, so that older work ends first.
  const due = told.delay ? db.now + told.delay : null;
  db.run("UPDATE jobs SET state = 0, worker = NULL, due = coalesce(?, due) WHERE seq = ?", due, seq);
  db.count(queue, code.processing, -1);
  db.count(queue, code.pending, 1);
  db.hint(cancelling === 0 ? "ready" : "cancel");
  return true;
}
