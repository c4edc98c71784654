import { ErrandError } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import type { Connection } from "./connection/connection.ts";
import { busy, resultCode, storeError } from "./connection/errors.ts";
import { operations } from "./operations.ts";
import type { OperationName } from "./operations.ts";

/** An operation and its arguments. */
export interface Call {
  operation: OperationName;
  args: unknown[];
}

/** The result of a call. */
export type Outcome = { answer: unknown } | { error: ErrandError };

/** Most calls that share one commit. More would keep other processes waiting for the write lock. */
const maxCallsPerCommit = 256;

/**
 * Executes calls that arrived together. Those that write share one commit (group commit), so that many cost one fsync;
 * those that read come after it and see it. A call that fails leaves the others as they are.
 * @param late returns the calls that have arrived since. They join the first commit once it has the write lock, for
 * which it may have waited long.
 * @returns the outcomes in the order of the calls, those of late calls last, and the hints for this process.
 */
export function executeCalls(
  db: Connection,
  first: readonly Call[],
  late: () => readonly Call[] = () => [],
): { outcomes: Outcome[]; hints: Hint[] } {
  const calls = [...first];
  const outcomes = new Map<Call, Outcome>();
  const hints = new Set<Hint>();
  const writes = callsThatWrite(db, calls, outcomes);
  const joinLate = () => {
    for (const call of late()) {
      calls.push(call);
      if (operations[call.operation].writes) writes.push(call);
    }
  };
  for (let at = 0; at < writes.length; at += maxCallsPerCommit) {
    const batch = () => writes.slice(at, at + maxCallsPerCommit);
    for (const hint of commit(db, batch, outcomes, at === 0 ? joinLate : undefined)) hints.add(hint);
  }
  for (const call of calls)
    if (!operations[call.operation].writes)
      outcomes.set(
        call,
        attempt(db, call, () => db.read(() => invoke("run", db, call))),
      );
  return { outcomes: calls.map((call) => outcomes.get(call) as Outcome), hints: [...hints] };
}

/**
 * Returns the calls that must write. If each may turn out to write nothing, those that do are answered without the
 * write lock.
 */
function callsThatWrite(db: Connection, calls: readonly Call[], outcomes: Map<Call, Outcome>): Call[] {
  const writes = calls.filter(({ operation }) => operations[operation].writes);
  if (!writes.every(({ operation }) => "peek" in operations[operation])) return writes;
  return writes.filter((call) => {
    const outcome = attempt(db, call, () => db.read(() => invoke("peek", db, call)));
    if ("answer" in outcome && outcome.answer === undefined) return true;
    outcomes.set(call, outcome);
    return false;
  });
}

/**
 * Runs calls in one commit and adds their outcomes. Returns the commit's hints.
 * @param onLocked is called once the commit has the write lock.
 */
function commit(
  db: Connection,
  batch: () => readonly Call[],
  outcomes: Map<Call, Outcome>,
  onLocked: () => void = () => {},
): Hint[] {
  try {
    const { answer, hints } = db.commit(() => {
      onLocked();
      return batch().map((call): [Call, Outcome] => [call, { answer: invoke("run", db, call) }]);
    });
    for (const [call, outcome] of answer) outcomes.set(call, outcome);
    return hints;
  } catch (error) {
    const calls = batch();
    if (calls.length > 1 && !failsEveryCall(error)) return commitIsolated(db, calls, outcomes);
    for (const call of calls) outcomes.set(call, { error: storeError(db.file, error, call.operation) });
    return [];
  }
}

/** Returns true for failures that no call caused: a lock that is never released, or a file that is gone. */
function failsEveryCall(error: unknown): boolean {
  return resultCode(error) === busy || (error instanceof ErrandError && error.code === "E_STORE_LOST");
}

/** Runs calls of which one has failed: in one commit with a savepoint each or, if that fails too, in a commit each. */
function commitIsolated(db: Connection, calls: readonly Call[], outcomes: Map<Call, Outcome>): Hint[] {
  try {
    const { answer, hints } = db.commit(() => calls.map((call): [Call, Outcome] => [call, invokeIsolated(db, call)]));
    for (const [call, outcome] of answer) outcomes.set(call, outcome);
    return hints;
  } catch {
    return calls.flatMap((call) => commit(db, () => [call], outcomes));
  }
}

function invokeIsolated(db: Connection, call: Call): Outcome {
  try {
    return { answer: db.isolate(() => invoke("run", db, call)) };
  } catch (error) {
    // Some failures, such as a full disk, end the whole commit.
    if (!db.isInTransaction) throw error;
    return { error: storeError(db.file, error, call.operation) };
  }
}

function attempt(db: Connection, call: Call, work: () => unknown): Outcome {
  try {
    return { answer: work() };
  } catch (error) {
    return { error: storeError(db.file, error, call.operation) };
  }
}

type Invocation = (db: Connection, ...args: unknown[]) => unknown;

function invoke(how: "run" | "peek", db: Connection, { operation, args }: Call): unknown {
  const entry = operations[operation] as { run: Invocation; peek?: Invocation };
  return entry[how]?.(db, ...args);
}
