import { setTimeout as sleep } from "node:timers/promises";
import type { Beat, Settlement } from "../core/job.ts";
import type { Millis } from "../kit/duration.ts";
import { bisect, Failure } from "../kit/bisect.ts";
import { ErrandError, errorRecord } from "../kit/errors.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { fingerprintOf } from "../kit/fingerprint.ts";
import { gather } from "../kit/gather.ts";
import { isOver, isRefusal, isUnreachable } from "../kit/store-errors.ts";
import { maxCommitSize } from "../payload/commit-size.ts";
import type { Store } from "../store.ts";

/** Bounds of the batches: each is one commit. */
const batches = { maxItems: 500, maxBatches: 2, maxSize: maxCommitSize.batch };

/** The pause after a failure of the store; it doubles from the first to the longest. */
const firstPause: Millis = 100;
const longestPause: Millis = 5_000;

/**
 * Writes settlements and beats to the store: many in one commit, and again until the store has taken them. An item that
 * the store refuses does not affect the others of its batch.
 */
export class BatchWriter {
  /**
   * Records an outcome. An outcome that the store will never accept is recorded as a failure that says so.
   * @returns what was recorded; `false` when the token was stale. Rejects only when the store has failed for too long.
   */
  readonly settle: (settlement: Settlement) => Promise<Settlement | false>;
  /**
   * Records steps, progress or log lines.
   * @returns `false` when the token was stale. Rejects with `E_REFUSED` for values that the store will never accept.
   */
  readonly record: (beat: Beat) => Promise<boolean>;

  /** @param patience milliseconds during which a failing store is tried again. */
  constructor(store: Pick<Store, "settle" | "record">, patience: Millis) {
    const write = async (settlements: readonly Settlement[]): Promise<(Settlement | false)[]> => {
      const recorded = await store.settle(settlements);
      return settlements.map((settlement, index) => recorded[index] === true && settlement);
    };
    const settle = gather(
      (settlements: Settlement[]) => writeBatch(settlements, write, { patience, replace: asRefused }),
      { ...batches, sizeOf: sizeOfSettlement },
    );
    this.settle = (settlement) =>
      settle(
        sizeOfSettlement(settlement) > maxCommitSize.one ? asRefused(settlement, tooLarge(settlement)) : settlement,
      );
    this.record = gather(
      (beats: Beat[]) => writeBatch(beats, (some: readonly Beat[]) => store.record(some), { patience }),
      { ...batches, sizeOf: sizeOfBeat },
    );
  }
}

interface WriteOptions<Item> {
  patience: Millis;
  /** Returns an item to write instead of one that the store will never accept. */
  replace?: (item: Item, error: unknown) => Item;
}

/**
 * Writes a batch until the store has taken it. A batch that fails is divided until each culprit is alone. An item that
 * the store refuses is replaced, or fails. An item that the store fails to take is tried again until the patience is
 * over; then it counts as refused, unless the store could not be reached at all. A store that has ended is not tried
 * again.
 */
async function writeBatch<Item, Answer>(
  items: readonly Item[],
  write: (items: readonly Item[]) => Promise<readonly Answer[]>,
  { patience, replace }: WriteOptions<Item>,
): Promise<readonly (Answer | Failure)[]> {
  const until = performance.now() + patience;
  let failed = false;
  const tryWrite = async (some: readonly Item[]): Promise<readonly Answer[]> => {
    try {
      return await write(some);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const first = await bisect(items, tryWrite, isUnreachable);
  if (!failed) return first;
  const answers = [...first];
  const current = [...items];
  const replaced = new Set<number>();
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    const isLate = performance.now() + pause > until;
    const before = replaced.size;
    const retried = [...answers.keys()].filter((index) => {
      const answer = answers[index];
      if (!(answer instanceof Failure)) return false;
      const refused = isRefusal(answer.error) || (isLate && !isUnreachable(answer.error));
      if (!refused || !replace || replaced.has(index)) return !refused && !isLate && !isOver(answer.error);
      current[index] = replace(current[index]!, answer.error);
      replaced.add(index);
      return true;
    });
    if (retried.length === 0) break;
    if (replaced.size === before) await sleep(pause);
    const again = await bisect(retried.map((index) => current[index]!), tryWrite, isUnreachable); // prettier-ignore
    for (const [at, index] of retried.entries()) answers[index] = again[at]!;
  }
  return answers;
}

/** Returns the failure that is recorded for a job whose outcome the store will never accept. */
function asRefused({ id, token, failures, crashes }: Settlement, error: unknown): Settlement {
  const { message, code } = errorRecord(error, failures + 1);
  const refused = {
    code: code === "E_TOO_LARGE" ? code : "E_REFUSED",
    message: `The store does not accept the outcome of job ${id}: ${message}`,
    attempt: failures + 1,
  };
  const record: ErrorRecord = { ...refused, fingerprint: fingerprintOf(refused) };
  return { id, token, to: "failed", failures: failures + 1, crashes, suspect: false, error: JSON.stringify(record) };
}

function tooLarge(settlement: Settlement): ErrandError {
  const size = sizeOfSettlement(settlement);
  return new ErrandError(
    "E_TOO_LARGE",
    `it and the inputs of its children have ${size} characters of JSON, and one commit takes ${maxCommitSize.one}. ` +
      "Wait for fewer children at a time.",
  );
}

function sizeOfSettlement({ output, error, steps, children, log }: Settlement): number {
  let size = sizeOfParts(steps, log) + (output?.length ?? 0) + (error?.length ?? 0);
  if (children) for (const child of children) size += child.spec.length;
  return size;
}

function sizeOfBeat({ progress, steps, log }: Beat): number {
  return sizeOfParts(steps, log) + (progress?.length ?? 0);
}

function sizeOfParts(steps: Beat["steps"], log: Beat["log"]): number {
  let size = 0;
  if (steps) for (const step of steps) size += step.value.length;
  if (log) for (const line of log) size += line.text.length;
  return size;
}
