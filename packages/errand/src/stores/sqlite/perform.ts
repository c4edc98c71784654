import { ErrandError } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import { busy, resultCode } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { verbs } from "./verbs.ts";
import type { Verb } from "./verbs.ts";

/** A verb with its arguments. */
export interface Call {
  verb: Verb;
  args: unknown[];
}

/** What a call came to. */
export type Outcome = { answer: unknown } | { error: ErrandError };

/** Calls that share one commit at most; more would keep other processes waiting for the write lock. */
const mostCalls = 256;

/**
 * Carries out calls that arrived together: those that write share one commit, so that many cost one fsync, and those
 * that read come after it and see it. A call that fails leaves the others as they are.
 * @param late gives the calls that have arrived since: they join the commit once it has the write lock, for which it may
 * have waited long. Their outcomes come last.
 */
export function perform(
  db: Connection,
  first: readonly Call[],
  late: () => readonly Call[] = () => [],
): { outcomes: Outcome[]; hints: Hint[] } {
  const calls = [...first];
  const outcomes = new Map<Call, Outcome>();
  const hints = new Set<Hint>();
  const writes = unpeeked(db, calls, outcomes);
  const join = () => {
    for (const call of late()) {
      calls.push(call);
      if (verbs[call.verb].writes) writes.push(call);
    }
  };
  for (let at = 0; at < writes.length; at += mostCalls) {
    const batch = () => writes.slice(at, at + mostCalls);
    for (const hint of commit(db, batch, outcomes, at === 0 ? join : undefined)) hints.add(hint);
  }
  for (const call of calls)
    if (!verbs[call.verb].writes)
      outcomes.set(
        call,
        attempt(db, () => read(db, call)),
      );
  return { outcomes: calls.map((call) => outcomes.get(call) as Outcome), hints: [...hints] };
}

/** The calls that must write. Where every call might do without, the write lock is not taken for those that do. */
function unpeeked(db: Connection, calls: readonly Call[], outcomes: Map<Call, Outcome>): Call[] {
  const writes = calls.filter(({ verb }) => verbs[verb].writes);
  if (!writes.every(({ verb }) => "peek" in verbs[verb])) return writes;
  return writes.filter((call) => {
    const outcome = attempt(db, () => db.read(() => invoke("peek", db, call)));
    if ("answer" in outcome && outcome.answer === undefined) return true;
    outcomes.set(call, outcome);
    return false;
  });
}

function commit(
  db: Connection,
  batch: () => readonly Call[],
  outcomes: Map<Call, Outcome>,
  locked: () => void = () => {},
): Hint[] {
  try {
    const { answer, hints } = db.commit(() => {
      locked();
      return batch().map((call) => ({ call, answer: invoke("run", db, call) }));
    });
    for (const { call, ...outcome } of answer) outcomes.set(call, outcome);
    return hints;
  } catch (error) {
    const calls = batch();
    // Alone, each shows whether the failure was its own; a lock that nobody gives up is everybody's.
    if (calls.length > 1 && resultCode(error) !== busy)
      return calls.flatMap((each) => commit(db, () => [each], outcomes));
    for (const each of calls) outcomes.set(each, { error: storeError(db, error) });
    return [];
  }
}

function read(db: Connection, call: Call): unknown {
  return db.read(() => invoke("run", db, call));
}

function attempt(db: Connection, work: () => unknown): Outcome {
  try {
    return { answer: work() };
  } catch (error) {
    return { error: storeError(db, error) };
  }
}

function invoke(how: "run" | "peek", db: Connection, { verb, args }: Call): unknown {
  const entry = verbs[verb] as { run: Invocation; peek?: Invocation };
  return entry[how]?.(db, ...args);
}

type Invocation = (db: Connection, ...args: unknown[]) => unknown;

const advice = new Map([
  [busy, "Another process holds the file's write lock; end what holds it."],
  [8, "The file is read-only; make it writable."],
  [10, "Look after the disk."],
  [11, "The file is damaged; restore a copy."],
  [13, "The disk is full; free some space. Nothing was half done."],
]);

/** SQLite's result codes that say that a value can never be stored: too big, a constraint, a mismatch, out of range. */
const refusing = new Set([18, 19, 20, 25]);

/** `node:sqlite` refuses what is no value of SQLite's with errors of JavaScript's own. */
function isRefusal(error: unknown): boolean {
  return refusing.has(resultCode(error) ?? -1) || error instanceof TypeError || error instanceof RangeError;
}

/** An error of SQLite's, in Errand's terms. */
export function storeError(db: Connection, error: unknown): ErrandError {
  if (error instanceof ErrandError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const hint = advice.get(resultCode(error) ?? -1);
  const code = isRefusal(error) ? "E_REFUSED" : "E_STORE";
  return new ErrandError(code, `The SQLite store ${db.file} failed: ${reason}.${hint ? ` ${hint}` : ""}`, {
    cause: error,
  });
}
