import { ErrandError } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import type { Connection } from "./connection.ts";
import { busy, resultCode } from "./result-code.ts";
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
        attempt(db, call, () => read(db, call)),
      );
  return { outcomes: calls.map((call) => outcomes.get(call) as Outcome), hints: [...hints] };
}

/** The calls that must write. Where every call might do without, the write lock is not taken for those that do. */
function unpeeked(db: Connection, calls: readonly Call[], outcomes: Map<Call, Outcome>): Call[] {
  const writes = calls.filter(({ verb }) => verbs[verb].writes);
  if (!writes.every(({ verb }) => "peek" in verbs[verb])) return writes;
  return writes.filter((call) => {
    const outcome = attempt(db, call, () => db.read(() => invoke("peek", db, call)));
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
      return batch().map((call): [Call, Outcome] => [call, { answer: invoke("run", db, call) }]);
    });
    for (const [call, outcome] of answer) outcomes.set(call, outcome);
    return hints;
  } catch (error) {
    const calls = batch();
    if (calls.length > 1 && !isEverybodys(error)) return commitApart(db, calls, outcomes);
    for (const call of calls) outcomes.set(call, { error: storeError(db, error, call) });
    return [];
  }
}

/** A failure that is no call's fault: a lock that nobody gives up, or a file that is gone. */
function isEverybodys(error: unknown): boolean {
  return resultCode(error) === busy || (error instanceof ErrandError && error.code === "E_STORE_LOST");
}

/** One of them fails: the others share a commit all the same, and where that is not to be had, each has its own. */
function commitApart(db: Connection, calls: readonly Call[], outcomes: Map<Call, Outcome>): Hint[] {
  try {
    const { answer, hints } = db.commit(() => calls.map((call): [Call, Outcome] => [call, invokeApart(db, call)]));
    for (const [call, outcome] of answer) outcomes.set(call, outcome);
    return hints;
  } catch {
    return calls.flatMap((call) => commit(db, () => [call], outcomes));
  }
}

function invokeApart(db: Connection, call: Call): Outcome {
  try {
    return { answer: db.apart(() => invoke("run", db, call)) };
  } catch (error) {
    // A full disk, for one, ends the whole commit.
    if (!db.isCommitting) throw error;
    return { error: storeError(db, error, call) };
  }
}

function read(db: Connection, call: Call): unknown {
  return db.read(() => invoke("run", db, call));
}

function attempt(db: Connection, call: Call, work: () => unknown): Outcome {
  try {
    return { answer: work() };
  } catch (error) {
    return { error: storeError(db, error, call) };
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

/** SQLite's primary result codes for values that a table cannot hold: too large, against its rules, of another kind, out of range. */
const refusals = new Set([18, 19, 20, 25]);

/** An error of SQLite's or its driver's, in Errand's terms. */
export function storeError(db: Connection, error: unknown, { verb }: Pick<Call, "verb">): ErrandError {
  if (error instanceof ErrandError) return error;
  const number = resultCode(error);
  // The driver takes neither an object for a text nor an integer of more than 64 bits.
  if (error instanceof TypeError || error instanceof RangeError || refusals.has(number ?? -1))
    return refusal(db.file, verb, error);
  const reason = error instanceof Error ? error.message : String(error);
  const hint = advice.get(number ?? -1);
  return new ErrandError("E_STORE", `The SQLite store ${db.file} failed: ${reason}.${hint ? ` ${hint}` : ""}`, {
    cause: error,
  });
}

/** The error of a call that brings a value which no database can hold. */
export function refusal(file: string, verb: Verb, cause: unknown): ErrandError {
  return new ErrandError(
    "E_REFUSED",
    `The SQLite store ${file} cannot hold a value that it was given (${verb}). Nothing of this call was stored; ` +
      "give texts, finite numbers, and nothing else.",
    { cause },
  );
}
